//! Removes a node from a builder.

use std::time::Duration;

use crate::error::BuilderError;
use crate::leftovers;
use crate::lifecycle::{self, RemoveRequest};
use crate::store::{Node, NodeGroup};
use crate::workspace::Workspace;

/// Maximum time that the engine of the node has to answer.
const ENGINE_ANSWER: Duration = Duration::from_secs(20);

/// A request to remove a node from a builder.
#[derive(Debug, Clone, Default)]
pub struct LeaveRequest {
    /// Name of the builder.
    pub name: Option<String>,
    /// Name of the node.
    pub node: Option<String>,
}

/// Removes a node from a builder, and its container, volumes and networks from their engine. The
/// node leaves even if they cannot be removed, for example because the engine is gone. Returns the
/// reasons why something may be left.
///
/// # Errors
///
/// If there is no such node, it is the only one, another process boots it, or the user cancels.
/// Nothing is changed.
pub async fn leave(
    workspace: &Workspace,
    request: &LeaveRequest,
) -> Result<Vec<BuilderError>, BuilderError> {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let name = given(&request.name).ok_or(BuilderError::LeaveWithoutName)?;
    let node = given(&request.node).ok_or(BuilderError::LeaveWithoutNode)?;
    let state = workspace.store.read()?;
    let stored = state.builder(&name).map_err(Clone::clone)?;
    let group = stored.map(|stored| stored.group.clone());
    let (group, node) = without(group, &name, &node)?;
    lifecycle::check_idle(workspace, &group.name)?;

    let mut left = Vec::new();
    let removed = remove_objects(workspace, &group, &node).await;
    if let Err(error) = removed {
        if error.is_cancelled() {
            return Err(error);
        }
        left.push(error);
    }
    let records = workspace.store.unfinished_of(&group.name)?;
    let records = records
        .iter()
        .filter(|record| record.purpose.node == node.name);
    for record in records {
        leftovers::forget(&workspace.store, record).await?;
    }
    remove_entry(workspace, &name, &node)?;
    // A lock that remains is an empty file and does no harm.
    let _ = workspace
        .uses()
        .lock(&workspace.store, &group.name, &node.name, &node.endpoint)
        .and_then(|lock| lock.discard());
    Ok(left)
}

/// Returns the builder, and the node that leaves it.
fn without(
    group: Option<NodeGroup>,
    name: &str,
    node: &str,
) -> Result<(NodeGroup, Node), BuilderError> {
    let group = group.ok_or_else(|| BuilderError::NothingToLeave {
        name: name.to_owned(),
    })?;
    let left = group.clone().leave(node)?;
    Ok((group, left))
}

async fn remove_objects(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
) -> Result<(), BuilderError> {
    let request = RemoveRequest {
        keep_state: false,
        keep_daemon: false,
        force: true,
        limit: ENGINE_ANSWER,
    };
    let records = workspace.store.unfinished_of(&group.name)?;
    lifecycle::remove_node(workspace, group, node, request, &records).await
}

/// Removes the node from the builder as it is now: other nodes may have changed in the meantime.
fn remove_entry(workspace: &Workspace, name: &str, node: &Node) -> Result<(), BuilderError> {
    let mut transaction = workspace.store.lock()?;
    let group = transaction.builder(name)?.map(|stored| stored.group);
    let mut group = group.ok_or_else(|| BuilderError::NothingToLeave {
        name: name.to_owned(),
    })?;
    if group.leave(&node.name)? != *node {
        return Err(BuilderError::Raced);
    }
    transaction.save(&group)?;
    Ok(transaction.remove_references(&group.name, &node.name)?)
}
