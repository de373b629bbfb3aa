//! What a driver leaves in the engine after it was asked to remove everything.

use iechor_engine::{Engine, EngineError};
use iechor_sandbox::ownership::{BUILDER_LABEL, NODE_LABEL};

/// Removes what carries the labels of the node: with the builder, the last that knows of it would go.
/// Returns what it was, for a person.
///
/// # Errors
///
/// The engine's. What was removed until then is not told.
pub(crate) async fn remove(
    engine: &dyn Engine,
    builder: &str,
    node: &str,
    keep_state: bool,
) -> Result<Vec<String>, EngineError> {
    let labels = [(BUILDER_LABEL, builder), (NODE_LABEL, node)]
        .map(|(label, value)| (label.to_owned(), value.to_owned()));
    let mut left = Vec::new();
    for container in engine.list_containers(&labels).await? {
        gone(engine.remove_container(&container.name, true).await)?;
        left.push(format!("container {}", container.name));
    }
    for network in engine.list_networks(&labels).await? {
        gone(engine.remove_network(&network.name).await)?;
        left.push(format!("network {}", network.name));
    }
    // Which of the volumes is the state only the driver knows.
    if !keep_state {
        for volume in engine.list_volumes(&labels).await? {
            gone(engine.remove_volume(&volume.name, false).await)?;
            left.push(format!("volume {}", volume.name));
        }
    }
    Ok(left)
}

/// Whether it is gone, by whoever removed it.
fn gone(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(EngineError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
