//! `iechor buildx rm`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use futures_util::future::join_all;
use iechor_builder::lifecycle::{self, Ask, NodeState, RemoveRequest};
use iechor_builder::store::NodeGroup;
use iechor_builder::view::RemovedBuilder;
use iechor_builder::{BuilderError, Workspace};
use iechor_values::duration;

use crate::command::Format;
use crate::failure;
use crate::session::{self, Common};
use crate::terminal::{self, Answer};
use crate::text::Text;

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
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
    /// Time that the engine of each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Rm {
    /// Removes the builders at the same time. A failure does not stop the removal of the others.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let names = if self.all_inactive {
                if !self.names.is_empty() {
                    bail!("cannot specify builder name when --all-inactive is set");
                }
                if !self.force && !confirm(&workspace).await? {
                    return Ok(());
                }
                inactive(&workspace, self.timeout).await?
            } else if self.names.is_empty() {
                vec![workspace.stored(None)?.name]
            } else {
                let mut names = self.names.clone();
                names.sort();
                names.dedup();
                names
            };
            let request = RemoveRequest {
                keep_state: self.keep_state,
                keep_daemon: self.keep_daemon,
                force: self.force,
                limit: self.timeout,
            };
            let work = names.iter().map(|name| remove(&workspace, name, request));
            let removed = join_all(work).await;
            let views = removed
                .iter()
                .zip(&names)
                .map(|(outcome, name)| RemovedBuilder {
                    name: name.clone(),
                    removed: outcome.is_ok(),
                    left: outcome.as_ref().map_or_else(|_| Vec::new(), Vec::clone),
                    err: outcome.as_ref().err().map(ToString::to_string),
                });
            self.format.list(Text::default, views)?;
            let failures: Vec<_> = removed.into_iter().filter_map(Result::err).collect();
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

/// Removes a builder, and says what became of it. Returns what is no longer listed, but may be left.
async fn remove(
    workspace: &Workspace,
    name: &str,
    request: RemoveRequest,
) -> Result<Vec<String>, BuilderError> {
    let removed = match find(workspace, name) {
        Ok(Found::Stored(group)) => lifecycle::remove(workspace, &group, request).await,
        Ok(Found::Unlisted(name)) => lifecycle::remove_unlisted(workspace, &name, request).await,
        Err(error) => Err(error),
    };
    match &removed {
        Ok(forgotten) => {
            for what in forgotten {
                terminal::warn(&format!("not removed, but no longer listed: {what}"));
            }
            terminal::say(&format!("{name} removed"));
        }
        Err(error) => {
            terminal::say(&format!("failed to remove {name}: {error}"));
            failure::advise([error]);
        }
    }
    removed
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
    let question = "WARNING! This will remove all builders that are not in running state. Are you sure \
                    you want to continue? [y/N] ";
    match terminal::ask(question, &workspace.cancel).await? {
        Answer::Yes => Ok(true),
        Answer::No => Ok(false),
        Answer::Missing => {
            bail!("--all-inactive asks for confirmation, but there is no terminal; add --force")
        }
    }
}

/// Returns the builders of which no node runs. A builder with a node whose status is unknown does not
/// count as inactive.
async fn inactive(workspace: &Workspace, timeout: Duration) -> anyhow::Result<Vec<String>> {
    let state = workspace.store.read()?;
    let asked = join_all(state.builders().map(|(name, stored)| async move {
        let Ok(stored) = stored else {
            terminal::warn(&format!("skipping {name}: cannot read its file"));
            return None;
        };
        let group = &stored.group;
        let reports = lifecycle::report(workspace, group, Ask::DriverIfKnown, timeout).await;
        let unknown = reports
            .iter()
            .find_map(|report| report.state.as_ref().err());
        if let Some(error) = unknown {
            terminal::warn(&format!("skipping {name}: {error}"));
            return None;
        }
        let mut states = reports.iter().flat_map(|report| &report.state);
        states
            .all(NodeState::is_inactive)
            .then(|| group.name.clone())
    }))
    .await;
    Ok(asked.into_iter().flatten().collect())
}
