//! Whether the name of a node is free on its engine.

use iechor_engine::{Engine, ObjectKind};
use iechor_sandbox::ownership::{Owner, STATE, Verdict};

use crate::error::BuilderError;
use crate::store::{Node, NodeGroup, StoreState};
use crate::workspace::Workspace;

/// Checks that what derives from the node's name belongs to nobody else: no other builder in the store
/// has such a node on that engine, and the engine has no object of that name with labels of another
/// node. It may be a builder of another user, or of another store.
///
/// # Errors
///
/// [`BuilderError::NameTaken`], or what the engine reported.
pub(super) async fn check(
    workspace: &Workspace,
    state: &StoreState,
    engine: &dyn Engine,
    builder: &str,
    node: &Node,
) -> Result<(), BuilderError> {
    let taken = |reason: String| BuilderError::NameTaken {
        node: node.name.clone(),
        endpoint: node.endpoint.clone(),
        reason,
    };
    let others = state
        .builders()
        .filter_map(|(_, stored)| stored.ok())
        .map(|stored| &stored.group)
        .filter(|group| !group.name.eq_ignore_ascii_case(builder));
    if let Some(other) = others.into_iter().find(|group| has(workspace, group, node)) {
        return Err(taken(format!(
            "builder {} has a node of that name there",
            other.name
        )));
    }
    let owner = Owner {
        builder: builder.to_owned(),
        node: node.name.clone(),
        driver: String::new(),
    };
    let container = owner.base_name();
    let volume = format!("{container}{STATE}");
    let found = [
        (
            ObjectKind::Container,
            &container,
            engine
                .inspect_container(&container)
                .await?
                .map(|found| found.labels),
        ),
        (
            ObjectKind::Volume,
            &volume,
            engine
                .inspect_volume(&volume)
                .await?
                .map(|found| found.labels),
        ),
    ];
    for (kind, name, labels) in found {
        if let Some(labels) = labels
            && let Verdict::Foreign(whose) = owner.judge(kind, name, &labels)
        {
            return Err(taken(format!("{kind} {name} is there already: {whose}")));
        }
    }
    Ok(())
}

/// Whether a builder has a node of that name on that engine, by whatever name for the engine.
fn has(workspace: &Workspace, group: &NodeGroup, node: &Node) -> bool {
    let place = |endpoint: &str| {
        let found =
            iechor_engine::endpoint::by_name(endpoint, &workspace.environment, &workspace.config);
        found.map_or_else(|_| endpoint.to_owned(), |found| found.key())
    };
    let here = place(&node.endpoint);
    group
        .nodes
        .iter()
        .any(|other| other.name == node.name && place(&other.endpoint) == here)
}
