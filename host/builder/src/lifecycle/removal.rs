//! Removal of builders: their objects in engines, then their entries.

use std::time::Duration;

use futures_util::future::join_all;
use iechor_sandbox::LogLevel;
use iechor_sandbox::contract::RemoveOptions;
use iechor_sandbox::removal::Removed;

use super::{gather, removal_lock};
use crate::error::BuilderError;
use crate::leftovers;
use crate::node::LiveNode;
use crate::store::{Node, NodeGroup, Progress, Remnant, Store, Unfinished};
use crate::workspace::Workspace;

/// Options for the removal of a builder.
#[derive(Debug, Clone, Copy)]
pub struct RemoveRequest {
    /// Keep the build cache.
    pub keep_state: bool,
    /// Keep the daemon running.
    pub keep_daemon: bool,
    /// Remove the entry even if the daemon cannot be removed.
    pub force: bool,
    /// Time that the engine of each node has to answer. The removal may take longer.
    pub limit: Duration,
}

/// Removes a builder: its objects in engines, then its entry. The entry is kept if an object cannot
/// be removed, so that no object is left unlisted. With [`RemoveRequest::force`], the entry is
/// removed anyway; returns the failures that were ignored. Waits for another process that removes the
/// builder.
///
/// # Errors
///
/// If an object cannot be removed, or the user cancels. The entry is kept.
pub async fn remove(
    workspace: &Workspace,
    group: &NodeGroup,
    request: RemoveRequest,
) -> Result<Vec<String>, BuilderError> {
    let mut forgotten = Vec::new();
    let alone = removal_lock::take(workspace, &group.name).await?;
    let state = workspace.store.read()?;
    if let Ok(None) = state.builder(&group.name) {
        // Another process removed it in the meantime.
        return Ok(forgotten);
    }
    if !request.force {
        check_idle(workspace, &group.name)?;
    }
    let unfinished = workspace.store.unfinished_of(&group.name)?;
    let settled = leftovers::settle_builder(workspace, &group.name, request.keep_state).await;
    forgive(settled.map(drop), request, &mut forgotten)?;
    if !request.keep_daemon {
        let removed = join_all(
            group
                .nodes
                .iter()
                .map(|node| remove_node(workspace, group, node, request, &unfinished)),
        )
        .await;
        let gathered = gather(group, removed, "remove");
        forgive(gathered, request, &mut forgotten).map_err(|error| {
            if error.is_cancelled() {
                return error;
            }
            BuilderError::Kept {
                error: Box::new(error),
            }
        })?;
    }
    forget_records(workspace, &group.name, request.force).await?;
    remove_entry(&workspace.store, group, request.force)?;
    let uses = workspace.uses();
    for node in &group.nodes {
        workspace.store.remove_boot_log(&node.name);
        // A lock that remains is an empty file and does no harm.
        let _ = uses
            .lock(&workspace.store, &group.name, &node.name, &node.endpoint)
            .and_then(|lock| lock.discard());
    }
    let _ = alone.discard();
    Ok(forgotten)
}

/// Removes the entry of a builder, unless another process changed it since it was read: the objects
/// of a node that was added in the meantime would be left unlisted.
fn remove_entry(store: &Store, group: &NodeGroup, force: bool) -> Result<(), BuilderError> {
    let mut transaction = store.lock()?;
    if !force
        && let Ok(Some(stored)) = transaction.builder(&group.name)
        && stored.group != *group
    {
        return Err(BuilderError::Changed {
            builder: group.name.clone(),
        });
    }
    Ok(transaction.remove(&group.name)?)
}

/// Removes the objects that boots left of a builder that is not in the store any more.
///
/// # Errors
///
/// [`BuilderError::Incomplete`] if objects are left, unless they are to be forgotten.
pub async fn remove_unlisted(
    workspace: &Workspace,
    builder: &str,
    request: RemoveRequest,
) -> Result<Vec<String>, BuilderError> {
    let mut forgotten = Vec::new();
    if !request.force {
        check_idle(workspace, builder)?;
    }
    let settled = leftovers::settle_builder(workspace, builder, request.keep_state).await;
    forgive(settled.map(drop), request, &mut forgotten)?;
    forget_records(workspace, builder, request.force).await?;
    Ok(forgotten)
}

/// Checks that no other process boots a node of the builder.
///
/// # Errors
///
/// [`BuilderError::Underway`].
pub(crate) fn check_idle(workspace: &Workspace, builder: &str) -> Result<(), BuilderError> {
    let unfinished = workspace.store.unfinished()?;
    let mut underway = unfinished
        .into_iter()
        .filter(|record| record.is_of(builder) && record.progress == Progress::Underway);
    match underway.next() {
        Some(record) => Err(BuilderError::Underway {
            node: record.purpose.node,
        }),
        None => Ok(()),
    }
}

/// Turns a failure into a record of what is left, if the user forces the removal and did not cancel.
fn forgive(
    result: Result<(), BuilderError>,
    request: RemoveRequest,
    forgotten: &mut Vec<String>,
) -> Result<(), BuilderError> {
    match result {
        Err(error) if request.force && !error.is_cancelled() => {
            forgotten.push(error.to_string());
            Ok(())
        }
        other => other,
    }
}

/// Removes the records of objects that are removed, or are to be forgotten.
async fn forget_records(
    workspace: &Workspace,
    builder: &str,
    force: bool,
) -> Result<(), BuilderError> {
    for record in workspace.store.unfinished_of(builder)? {
        // Nothing is left: the record was settled, or all objects of its node were removed.
        if force || record.progress == Progress::Interrupted {
            leftovers::forget(&workspace.store, &record).await?;
        }
    }
    Ok(())
}

/// Removes the objects of a node: by its driver, and what is left by its labels.
///
/// # Errors
///
/// If an object cannot be removed, or the user cancels.
pub(crate) async fn remove_node(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    request: RemoveRequest,
    unfinished: &[Unfinished],
) -> Result<(), BuilderError> {
    let options = RemoveOptions {
        force: true,
        keep_state: request.keep_state,
        keep_daemon: false,
    };
    let (removed, engine) = match LiveNode::open(workspace, group, node).await {
        Ok(live) => {
            let engine = live.engine().cloned();
            if let Some(engine) = &engine
                && let Err(error) = workspace.check_engine(engine.as_ref(), request.limit).await
            {
                let is_forgotten = request.force && !error.is_cancelled();
                return Err(match is_forgotten {
                    true => unknown(group, node, error),
                    false => error,
                });
            }
            (live.remove(options).await, engine)
        }
        Err(error) => {
            let is_incomplete = unfinished.iter().any(|record| {
                record.purpose.node == node.name && record.purpose.endpoint == node.endpoint
            });
            if error.is_cancelled() || !(request.force || is_incomplete) {
                return Err(error);
            }
            // Without the driver, the labels still identify the objects that it created. The driver
            // of a builder whose creation failed may be missing or untrusted.
            let Ok(engine) = workspace.engine(&node.endpoint) else {
                return Err(error);
            };
            let removed = if is_incomplete { Ok(()) } else { Err(error) };
            (removed, Some(engine))
        }
    };
    // If the builder is kept, keep the objects that its driver can still remove.
    if let Err(error) = &removed
        && (!request.force || error.is_cancelled())
    {
        return removed;
    }
    let Some(engine) = engine else {
        return removed;
    };
    let work = leftovers::remove_node(&engine, &group.name, &node.name, request.keep_state);
    let Removed { gone, left } = tokio::select! {
        biased;
        () = workspace.cancel.cancelled() => return Err(BuilderError::Cancelled("the removal")),
        found = work => match found {
            Ok(found) => found,
            Err(error) => return Err(unknown(group, node, removed.err().unwrap_or(error))),
        },
    };
    for object in gone {
        let message = format!("left {object} behind, removed now");
        let log = &workspace.log;
        log.write(LogLevel::Warn, &group.driver, &message, &[]);
    }
    if left.is_empty() {
        // The objects that the driver failed to remove are gone.
        return match removed {
            Err(error) if request.force => {
                say_failure(workspace, group, &error);
                Ok(())
            }
            other => other,
        };
    }
    Err(BuilderError::Incomplete {
        builder: group.name.clone(),
        endpoint: node.endpoint.clone(),
        remnants: left.iter().map(Remnant::from).collect(),
        error: removed.err().map(Box::new),
    })
}

/// Logs that a driver failed to remove objects that have been removed without it.
fn say_failure(workspace: &Workspace, group: &NodeGroup, error: &BuilderError) {
    let message = format!("failed to remove its objects: {error}");
    let log = &workspace.log;
    log.write(LogLevel::Warn, &group.driver, &message, &[]);
}

/// Returns the failure of a node whose objects cannot be listed. It names the objects that the node
/// usually has.
fn unknown(group: &NodeGroup, node: &Node, error: BuilderError) -> BuilderError {
    let base = format!("buildx_buildkit_{}", node.name);
    let remnant = |kind: &str, name: String| Remnant {
        kind: kind.into(),
        name,
        reason: String::new(),
    };
    BuilderError::Incomplete {
        builder: group.name.clone(),
        endpoint: node.endpoint.clone(),
        remnants: vec![
            remnant("container", base.clone()),
            remnant("volume", format!("{base}_state")),
            remnant(
                "all objects with the label",
                format!("dev.iechor.node={}", node.name),
            ),
        ],
        error: Some(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn an_entry_that_another_process_changed_stays() {
        let directory = tempfile::tempdir().expect("directory");
        let store = Store::open(directory.path());
        let group = NodeGroup::new(&Name::parse("b").expect("a name"), "remote");
        let mut changed = group.clone();
        changed.nodes.push(Node::default());
        store.lock().expect("locked").save(&changed).expect("saved");
        assert!(matches!(
            remove_entry(&store, &group, false),
            Err(BuilderError::Changed { builder }) if builder == "b"
        ));
        assert_eq!(store.read().expect("read").builders().count(), 1);
        for force in [false, true] {
            store.lock().expect("locked").save(&changed).expect("saved");
            let group = if force { &group } else { &changed };
            remove_entry(&store, group, force).expect("removed");
            assert_eq!(store.read().expect("read").builders().count(), 0);
        }
    }
}
