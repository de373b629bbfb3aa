//! Builders in listings, and one builder in detail.

use std::time::Duration;

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::incomplete::Incomplete;
use super::node::NodeDetails;
use crate::error::BuilderError;
use crate::lifecycle::{self, Ask};
use crate::store::{Progress, StoredBuilder, Unfinished};
use crate::workspace::Workspace;

/// A builder in a listing. The command prints one such object for each builder, each on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BuilderSummary {
    /// Name of the builder.
    pub name: String,
    /// Whether the builder is the current builder.
    pub current: bool,
    /// Name of the driver. Null if the builder cannot be read.
    pub driver: Option<String>,
    /// Whether the driver finds the nodes itself. Null if the builder cannot be read.
    pub dynamic: Option<bool>,
    /// Time of the last build or change, in RFC 3339. Null if it is unknown.
    pub last_activity: Option<String>,
    /// Nodes of the builder.
    pub nodes: Vec<NodeDetails>,
    /// Why the builder cannot be read. Null if it can be read.
    pub err: Option<String>,
    /// Boots that did not end well and may have left objects in the engine.
    pub incomplete: Vec<Incomplete>,
}

/// A builder in detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BuilderDetails {
    /// Name of the builder.
    pub name: String,
    /// Name of the driver.
    pub driver: String,
    /// Digest of the component of the driver when the builder was created or last changed. Null for a
    /// built-in driver.
    pub driver_digest: Option<String>,
    /// Whether the driver finds the nodes itself.
    pub dynamic: bool,
    /// Time of the last build or change, in RFC 3339. Null if it is unknown.
    pub last_activity: Option<String>,
    /// Nodes of the builder.
    pub nodes: Vec<NodeDetails>,
    /// Boots that did not end well and may have left objects in the engine.
    pub incomplete: Vec<Incomplete>,
}

/// All builders.
#[derive(Debug)]
pub struct Listing {
    /// The stored builders by name, then the builders of Docker contexts, then builders that are no
    /// longer stored but have left something in an engine.
    pub builders: Vec<BuilderSummary>,
    /// Why there is no current builder.
    pub current_fault: Option<BuilderError>,
    /// Why the states of nodes are unknown.
    pub faults: Vec<BuilderError>,
}

/// One builder that was asked for its state.
#[derive(Debug)]
pub struct Inspection {
    /// The builder.
    pub builder: BuilderDetails,
    /// Why the states of nodes are unknown.
    pub faults: Vec<BuilderError>,
}

impl Listing {
    /// Lists all builders. All nodes are asked at the same time, each within `limit`; without a limit, no
    /// node is asked and the builders have no nodes. A builder that cannot be read is in the list, with the
    /// reason.
    ///
    /// # Errors
    ///
    /// If the store or the Docker contexts cannot be read.
    pub async fn of(workspace: &Workspace, limit: Option<Duration>) -> Result<Self, BuilderError> {
        let state = workspace.store.read()?;
        // List the builders even if the current one does not exist.
        let (current, current_fault) = match workspace.select(None) {
            Ok(chosen) => (Some(chosen.name().to_owned()), None),
            Err(error) => (None, Some(error)),
        };
        let mut found: Vec<(String, Result<StoredBuilder, String>)> = state
            .builders()
            .map(|(name, stored)| {
                let stored = stored.cloned().map_err(ToString::to_string);
                (name.to_owned(), stored)
            })
            .collect();
        // The builders of contexts come last, as in docker buildx.
        for group in workspace.context_builders(&state)? {
            let stored = StoredBuilder {
                group,
                last_activity: None,
            };
            found.push((stored.group.name.clone(), Ok(stored)));
        }
        let unfinished = workspace.store.unfinished()?;
        let current = current.as_deref();
        let listed = join_all(found.into_iter().map(|(name, stored)| async move {
            match stored {
                Ok(stored) => BuilderSummary::ask(workspace, &stored, current, limit).await,
                Err(reason) => (BuilderSummary::unreadable(name, reason), Vec::new()),
            }
        }))
        .await;
        let (builders, faults): (_, Vec<_>) = listed.into_iter().unzip();
        Ok(Self {
            builders: with_unfinished(builders, &unfinished),
            current_fault,
            faults: faults.into_iter().flatten().collect(),
        })
    }
}

impl BuilderSummary {
    async fn ask(
        workspace: &Workspace,
        stored: &StoredBuilder,
        current: Option<&str>,
        limit: Option<Duration>,
    ) -> (Self, Vec<BuilderError>) {
        let group = &stored.group;
        let reports = match limit {
            Some(limit) => lifecycle::report(workspace, group, Ask::DriverIfKnown, limit).await,
            None => Vec::new(),
        };
        let (nodes, faults) = NodeDetails::all(reports);
        let summary = Self {
            name: group.name.clone(),
            current: current == Some(&group.name),
            driver: Some(group.driver.clone()),
            dynamic: Some(group.dynamic),
            last_activity: last_activity(stored),
            nodes,
            err: None,
            incomplete: Vec::new(),
        };
        (summary, faults)
    }

    fn unreadable(name: String, reason: String) -> Self {
        Self {
            name,
            current: false,
            driver: None,
            dynamic: None,
            last_activity: None,
            nodes: Vec::new(),
            err: Some(reason),
            incomplete: Vec::new(),
        }
    }

    /// Returns whether the builder cannot be read, or the state of a node is unknown.
    pub fn has_error(&self) -> bool {
        self.err.is_some() || self.nodes.iter().any(|node| node.err.is_some())
    }
}

/// Adds what boots left behind to the builders. A builder that is not in the store any more gets an
/// entry of its own.
fn with_unfinished(
    mut builders: Vec<BuilderSummary>,
    unfinished: &[Unfinished],
) -> Vec<BuilderSummary> {
    for record in unfinished {
        if record.progress == Progress::Underway {
            continue;
        }
        let left = Incomplete::of(record);
        match builders.iter_mut().find(|it| record.is_of(&it.name)) {
            Some(builder) => builder.incomplete.push(left),
            None => {
                let name = record.purpose.builder.clone();
                let reason = "it is not in the store any more".to_owned();
                builders.push(BuilderSummary {
                    incomplete: vec![left],
                    ..BuilderSummary::unreadable(name, reason)
                });
            }
        }
    }
    builders
}

impl Inspection {
    /// Asks all nodes of a builder at the same time, each within `limit`.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn of(
        workspace: &Workspace,
        stored: &StoredBuilder,
        limit: Duration,
    ) -> Result<Self, BuilderError> {
        let group = &stored.group;
        let reports = lifecycle::report(workspace, group, Ask::Daemon, limit).await;
        let (nodes, faults) = NodeDetails::all(reports);
        let unfinished = workspace.store.unfinished_of(&group.name)?;
        Ok(Self {
            builder: BuilderDetails {
                name: group.name.clone(),
                driver: group.driver.clone(),
                driver_digest: group.driver_digest.clone(),
                dynamic: group.dynamic,
                last_activity: last_activity(stored),
                nodes,
                incomplete: Incomplete::all(&unfinished),
            },
            faults,
        })
    }
}

/// Returns the time of the last use of a builder, in RFC 3339.
fn last_activity(stored: &StoredBuilder) -> Option<String> {
    let time = OffsetDateTime::from(stored.last_activity?);
    time.format(&Rfc3339).ok()
}
