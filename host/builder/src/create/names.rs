//! Checks that the name of a node is free on its engine.

use iechor_engine::{Engine, ObjectKind};
use iechor_sandbox::ownership::{Owner, STATE, Verdict};

use crate::error::{BuilderError, Holder};
use crate::leftovers;
use crate::store::{Node, NodeGroup, StoreState};
use crate::workspace::Workspace;

/// Checks that the names of a node's objects do not belong to another builder: no other builder in
/// the store has such a node on that engine, and the engine has no object of that name with the
/// labels of another node, which may belong to a builder of another user or another store.
///
/// # Errors
///
/// [`BuilderError::NameTaken`], or a failure of the engine.
pub(super) async fn check(
    workspace: &Workspace,
    state: &StoreState,
    engine: &dyn Engine,
    builder: &str,
    node: &Node,
) -> Result<(), BuilderError> {
    check_stored(workspace, state, builder, node)?;
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
            let holder = Holder::Object {
                kind,
                name: name.clone(),
                owner: whose,
            };
            return Err(taken(node, holder));
        }
    }
    Ok(())
}

/// Checks that no other builder in the store has such a node on that engine.
///
/// # Errors
///
/// [`BuilderError::NameTaken`].
pub(super) fn check_stored(
    workspace: &Workspace,
    state: &StoreState,
    builder: &str,
    node: &Node,
) -> Result<(), BuilderError> {
    let mut others = state
        .builders()
        .filter_map(|(_, stored)| stored.ok())
        .map(|stored| &stored.group)
        .filter(|group| !group.name.eq_ignore_ascii_case(builder));
    match others.find(|group| has(workspace, group, node)) {
        Some(other) => Err(taken(
            node,
            Holder::Builder {
                builder: other.name.clone(),
            },
        )),
        None => Ok(()),
    }
}

fn taken(node: &Node, holder: Holder) -> BuilderError {
    BuilderError::NameTaken {
        node: node.name.clone(),
        endpoint: node.endpoint.clone(),
        holder,
    }
}

/// Returns a warning if a node moves to another engine: its objects at the old engine stay there
/// without a builder.
pub(super) async fn left_at(
    workspace: &Workspace,
    builder: &str,
    before: &Node,
    now: &Node,
) -> Option<String> {
    let old = &before.endpoint;
    if place(workspace, old) == place(workspace, &now.endpoint) {
        return None;
    }
    let found = match workspace.engine(old) {
        Ok(engine) => leftovers::of_node(engine.as_ref(), builder, &before.name).await,
        Err(error) => Err(error),
    };
    let what = match found {
        Ok(found) if found.is_empty() => return None,
        Ok(found) => leftovers::names(&found),
        Err(error) => format!("they cannot be listed ({error})"),
    };
    Some(format!(
        "the objects of node {} at {old} stay there without a builder: {what}",
        before.name
    ))
}

fn place(workspace: &Workspace, endpoint: &str) -> String {
    let found =
        iechor_engine::endpoint::by_name(endpoint, &workspace.environment, &workspace.config);
    found.map_or_else(|_| endpoint.to_owned(), |found| found.key())
}

/// Returns whether a builder has a node of that name on that engine, even if it names the engine
/// differently.
fn has(workspace: &Workspace, group: &NodeGroup, node: &Node) -> bool {
    let here = place(workspace, &node.endpoint);
    group
        .nodes
        .iter()
        .any(|other| other.name == node.name && place(workspace, &other.endpoint) == here)
}
