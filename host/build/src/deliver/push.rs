//! Images that the engine pushes after the build.

use std::sync::Arc;

use iechor_builder::BuilderError;
use iechor_builder::node::LiveNode;
use iechor_engine::model::PullEvent;
use iechor_progress::vertex::{StatusSender, Vertex};
use tokio::sync::mpsc;

use crate::error::BuildError;

/// Maximum number of pending reports of an engine.
const EVENTS: usize = 64;

/// Lets the engine of a node push an image. Returns the digest of the image if the engine reports it.
///
/// # Errors
///
/// Returns the error that the engine reported.
pub(crate) async fn push(
    node: &LiveNode,
    name: &str,
    status: &StatusSender,
) -> Result<Option<String>, BuildError> {
    let Some(engine) = node.engine().map(Arc::clone) else {
        return Ok(None);
    };
    let title = format!("pushing {name} with docker");
    let (vertex, forwarder) = Vertex::begin(&title, status.clone());
    let (sender, mut events) = mpsc::channel::<PullEvent>(EVENTS);
    let show = async {
        while let Some(event) = events.recv().await {
            if !event.id.is_empty() && event.total.is_some() {
                let layer = format!("pushing layer {}", event.id);
                vertex.count(&layer, event.current, event.total);
            }
        }
    };
    let (pushed, ()) = tokio::join!(engine.push_image(name, sender), show);
    vertex.end(pushed.as_ref().map(|_| ()).map_err(ToString::to_string));
    drop(vertex);
    forwarder.finish().await;
    Ok(pushed.map_err(BuilderError::from)?)
}
