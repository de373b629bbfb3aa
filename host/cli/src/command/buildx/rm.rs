//! `iechor buildx rm`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use iechor_builder::lifecycle::{self, Ask, NodeState, RemoveRequest};
use iechor_builder::store::NodeGroup;
use iechor_builder::{BuilderError, Workspace};
use iechor_values::duration;

use crate::session::{self, Common};
use crate::{failure, terminal};

/// Remove one or more builders
#[derive(Debug, Args)]
pub struct Rm {
    /// Builder names (default: the current builder)
    names: Vec<String>,
    /// Remove all inactive builders
    #[arg(long)]
    all_inactive: bool,
    /// Do not ask for confirmation, and remove the entry of a builder even if its daemon cannot be removed
    #[arg(short, long)]
    force: bool,
    /// Keep the BuildKit daemon running
    #[arg(long)]
    keep_daemon: bool,
    /// Keep the build cache, which the next builder of that name uses
    #[arg(long)]
    keep_state: bool,
    /// Time that each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Rm {
    /// Removes the builders. A failure does not stop the removal of the others.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let groups = if self.all_inactive {
                if !self.names.is_empty() {
                    bail!("cannot specify builder name when --all-inactive is set");
                }
                if !self.force && !confirm(&workspace).await? {
                    return Ok(());
                }
                let inactive = inactive(&workspace, self.timeout).await?;
                inactive.into_iter().map(Found::Stored).collect()
            } else if self.names.is_empty() {
                vec![Found::Stored(workspace.stored(None)?)]
            } else {
                self.names
                    .iter()
                    .map(|name| find(&workspace, name))
                    .collect::<Result<Vec<_>, _>>()?
            };
            let request = RemoveRequest {
                keep_state: self.keep_state,
                keep_daemon: self.keep_daemon,
                force: self.force,
            };
            let mut failures = Vec::new();
            for found in groups {
                let (name, removed) = match found {
                    Found::Stored(group) => {
                        let removed = lifecycle::remove(&workspace, &group, request).await;
                        (group.name, removed)
                    }
                    Found::Unlisted(name) => {
                        let removed = lifecycle::remove_unlisted(&workspace, &name, request).await;
                        (name, removed)
                    }
                };
                match removed {
                    Ok(forgotten) => {
                        for what in forgotten {
                            terminal::warn(&format!("not removed, but no longer listed: {what}"));
                        }
                        terminal::say(&format!("{name} removed"));
                    }
                    Err(error) => {
                        terminal::say(&format!("failed to remove {name}: {error}"));
                        failure::advise([&error]);
                        failures.push(error);
                    }
                }
            }
            if failures.is_empty() {
                return Ok(());
            }
            match failures.into_iter().find(BuilderError::is_cancelled) {
                Some(cancelled) => Err(cancelled.into()),
                None => bail!("failed to remove one or more builders"),
            }
        })
    }
}

/// A builder to remove.
enum Found {
    Stored(NodeGroup),
    /// A builder that is not in the store any more, but has left something in an engine.
    Unlisted(String),
}

fn find(workspace: &Workspace, name: &str) -> Result<Found, BuilderError> {
    match workspace.stored(Some(name)) {
        Ok(group) => Ok(Found::Stored(group)),
        Err(error) => match workspace.store.unfinished_of(name)?.first() {
            Some(_) => Ok(Found::Unlisted(name.to_owned())),
            None => Err(error),
        },
    }
}

async fn confirm(workspace: &Workspace) -> anyhow::Result<bool> {
    if !terminal::can_ask() {
        bail!("--all-inactive asks for confirmation, but there is no terminal; add --force");
    }
    terminal::confirm(
        "WARNING! This will remove all builders that are not in running state. Are you sure you \
         want to continue? [y/N] ",
        &workspace.cancel,
    )
    .await
}

/// Returns the builders of which no node runs. A builder with a node whose status is unknown does not
/// count as inactive.
async fn inactive(workspace: &Workspace, timeout: Duration) -> anyhow::Result<Vec<NodeGroup>> {
    let mut found = Vec::new();
    let state = workspace.store.read()?;
    for (name, stored) in state.builders() {
        let Ok(stored) = stored else {
            terminal::warn(&format!("skipping {name}: cannot read its file"));
            continue;
        };
        let reports =
            lifecycle::report(workspace, &stored.group, Ask::DriverIfKnown, timeout).await;
        let unknown = reports
            .iter()
            .find_map(|report| report.state.as_ref().err());
        if let Some(error) = unknown {
            terminal::warn(&format!("skipping {name}: {error}"));
            continue;
        }
        if reports
            .iter()
            .all(|report| report.state.as_ref().is_ok_and(NodeState::is_inactive))
        {
            found.push(stored.group.clone());
        }
    }
    Ok(found)
}
