//! Requests that change nothing: a script that creates a builder may run again.

use iechor_catalog::Loaded;
use iechor_sandbox::{Embedded, Policy};

use super::{CreateRequest, change, driver};
use crate::error::BuilderError;
use crate::store::{NodeChange, NodeGroup};
use crate::workspace::Workspace;

/// Returns whether a request for a new builder describes the one of that name: it has the same
/// driver, and its first node the same settings. A request that is not valid describes no builder.
pub(super) async fn created(
    workspace: &Workspace,
    policy: &Policy,
    group: &NodeGroup,
    request: &CreateRequest,
) -> bool {
    let fresh = fresh(workspace, policy, group, request).await;
    let Ok(Some(fresh)) = fresh else {
        return false;
    };
    let has_driver = match &request.driver {
        Some(_) => fresh.driver == group.driver,
        None => is_same_driver(&fresh.driver, &group.driver),
    };
    has_driver
        && fresh.driver_digest == group.driver_digest
        && fresh.nodes.first().is_some()
        && fresh.nodes.first() == group.nodes.first()
}

/// Returns the builder that a request would create if there were none; `None` if it would give its
/// driver more grants as well.
async fn fresh(
    workspace: &Workspace,
    policy: &Policy,
    group: &NodeGroup,
    request: &CreateRequest,
) -> Result<Option<NodeGroup>, BuilderError> {
    let driver = driver::choose_driver(policy, None, request).await?;
    let loaded = workspace.catalog.load(&driver).await?;
    if !has_grants(&loaded, request) {
        return Ok(None);
    }
    let mut fresh = NodeGroup {
        name: group.name.clone(),
        driver,
        driver_digest: loaded.own_digest().map(str::to_owned),
        ..NodeGroup::default()
    };
    fresh.change(change::of_request(workspace, None, request, &loaded.driver).await?)?;
    Ok(Some(fresh))
}

/// Returns whether the driver has all grants of the request already.
pub(super) fn has_grants(loaded: &Loaded, request: &CreateRequest) -> bool {
    let mut grants = request.grants.iter();
    grants.all(|grant| loaded.granted.contains(grant))
}

/// Returns whether two names mean the same driver.
fn is_same_driver(one: &str, other: &str) -> bool {
    let built_in = |name| Embedded::find(name).map(|embedded| embedded.name);
    one == other || built_in(one).is_some_and(|name| built_in(other) == Some(name))
}

/// Returns the index of the node that is as a change to append a node describes it.
pub(super) fn appended(group: &NodeGroup, change: &NodeChange) -> Option<usize> {
    if !change.append || change.node.is_some() {
        return None;
    }
    let endpoint = change.endpoint.as_ref()?;
    let index = group
        .nodes
        .iter()
        .position(|node| node.endpoint == *endpoint)?;
    let mut fresh = NodeGroup {
        name: group.name.clone(),
        ..NodeGroup::default()
    };
    fresh
        .change(NodeChange {
            node: Some(group.nodes[index].name.clone()),
            ..change.clone()
        })
        .ok()?;
    (fresh.nodes.first() == group.nodes.get(index)).then_some(index)
}
