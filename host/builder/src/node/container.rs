//! The container of a node, as the host finds it.

use iechor_engine::model::Container;
use iechor_engine::{Engine, EngineError};
use iechor_sandbox::ownership::{BUILDER_LABEL, NODE_LABEL};

/// Finds the container of a node: by its labels, or by the name that docker buildx gives it.
pub(crate) async fn of_node(
    engine: &dyn Engine,
    builder: &str,
    node: &str,
) -> Result<Option<Container>, EngineError> {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let labels = [label(BUILDER_LABEL, builder), label(NODE_LABEL, node)];
    let usual = format!("buildx_buildkit_{node}");
    let labelled = engine.list_containers(&labels).await?;
    let is_usual = |container: &&Container| container.name == usual;
    let found = labelled.iter().find(is_usual).or(labelled.first());
    let name = found.map_or(usual.as_str(), |container| &container.id);
    engine.inspect_container(name).await
}
