//! Saves what was created, and takes it back.

use iechor_catalog::{Grant, Loaded};

use super::names;
use crate::error::BuilderError;
use crate::store::{Node, NodeGroup};
use crate::workspace::Workspace;

/// Saves the builder and the grants of its driver. Returns the grants that are new.
pub(super) fn save(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    expected: Option<&NodeGroup>,
    loaded: &Loaded,
    grants: &[Grant],
) -> Result<Vec<Grant>, BuilderError> {
    let mut transaction = workspace.store.lock()?;
    unchanged(
        transaction
            .builder(&group.name)?
            .map(|stored| stored.group)
            .as_ref(),
        expected,
    )?;
    // Another builder may have got such a node since the first check.
    if loaded.driver.uses_engine() {
        names::check_stored(workspace, &transaction.state()?, &group.name, node)?;
    }
    let catalog = &workspace.catalog;
    let given = catalog.give(loaded, transaction.files(), grants)?;
    if let Err(error) = transaction.save(group) {
        catalog.take_back(loaded, transaction.files(), &given)?;
        return Err(error.into());
    }
    Ok(given)
}

/// Restores a node in the store, as it was in the builder `before`. The builder is removed with its
/// last node, unless it is kept. Changes that other processes made to other nodes stay.
pub(super) fn restore(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &str,
    before: Option<&NodeGroup>,
    is_kept: bool,
) -> Result<(), BuilderError> {
    let mut transaction = workspace.store.lock()?;
    let now = transaction.builder(&group.name)?.map(|stored| stored.group);
    let Some(mut now) = now.filter(|now| now.node(node) == group.node(node)) else {
        // Another process changed or removed the node.
        return Ok(());
    };
    match before {
        Some(before) if now == *group => transaction.save(before)?,
        None if is_kept => {}
        _ => {
            now.restore(node, before.and_then(|before| before.node(node)));
            match now.nodes.as_slice() {
                [] => transaction.remove(&group.name)?,
                _ => transaction.save(&now)?,
            }
        }
    }
    Ok(())
}

/// Removes a builder from the store, unless another process changed it.
///
/// # Errors
///
/// [`BuilderError::Raced`] if it did, or if the store cannot be written.
pub(super) fn remove(workspace: &Workspace, group: &NodeGroup) -> Result<(), BuilderError> {
    let mut transaction = workspace.store.lock()?;
    let now = transaction.builder(&group.name)?.map(|stored| stored.group);
    unchanged(now.as_ref(), Some(group))?;
    Ok(transaction.remove(&group.name)?)
}

/// Takes back the grants that [`save`] gave.
pub(super) fn take_back(
    workspace: &Workspace,
    loaded: &Loaded,
    given: &[Grant],
) -> Result<(), BuilderError> {
    let transaction = workspace.store.lock()?;
    let catalog = &workspace.catalog;
    Ok(catalog.take_back(loaded, transaction.files(), given)?)
}

fn unchanged(found: Option<&NodeGroup>, expected: Option<&NodeGroup>) -> Result<(), BuilderError> {
    if found == expected {
        return Ok(());
    }
    Err(BuilderError::Raced)
}
