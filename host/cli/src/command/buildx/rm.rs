//! `iechor buildx rm`

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use iechor_builder::lifecycle::{self, Ask, RemoveRequest};
use iechor_builder::store::NodeGroup;
use iechor_builder::{BuilderError, Workspace};
use iechor_sandbox::contract::Status;

use super::parse_duration;
use crate::session::{self, Common};
use crate::{console, failure};

/// Remove builders
#[derive(Debug, Args)]
pub struct Rm {
    /// Their names; the current one where there is none
    names: Vec<String>,
    /// Remove all builders that do not run
    #[arg(long)]
    all_inactive: bool,
    /// Ask no questions, and forget a builder although its daemon could not be removed
    #[arg(short, long)]
    force: bool,
    /// Leave the daemon running
    #[arg(long)]
    keep_daemon: bool,
    /// Leave the cache, so that a builder of that name starts warm
    #[arg(long)]
    keep_state: bool,
    /// Time for finding out which builders run
    #[arg(long, default_value = "20s", value_parser = parse_duration)]
    timeout: Duration,
}

impl Rm {
    /// Removes the builders, each whatever becomes of the others.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let groups = if self.all_inactive {
                if !self.names.is_empty() {
                    bail!("cannot specify builder name when --all-inactive is set");
                }
                if !self.force && !confirm()? {
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
                            console::warn(&format!("forgotten, not removed: {what}"));
                        }
                        console::say(&format!("{name} removed"));
                    }
                    Err(error) => {
                        console::say(&format!("failed to remove {name}: {error}"));
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
    /// It is not in the store any more, but something of it is left in an engine.
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

fn confirm() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("--all-inactive asks for a confirmation, and there is no terminal; add --force");
    }
    console::ask(
        "WARNING! This will remove all builders that are not in running state. Are you sure you \
         want to continue? [y/N] ",
    );
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The builders of which no node runs. One that cannot be asked is not known to be inactive, and
/// is left alone.
async fn inactive(workspace: &Workspace, timeout: Duration) -> anyhow::Result<Vec<NodeGroup>> {
    let mut found = Vec::new();
    let state = workspace.store.read()?;
    for (name, stored) in state.builders() {
        let Ok(stored) = stored else {
            console::warn(&format!("{name} is left alone: its file cannot be read"));
            continue;
        };
        let reports =
            lifecycle::report(workspace, &stored.group, Ask::DriverIfKnown, timeout).await;
        let unknown = reports
            .iter()
            .find_map(|report| report.state.as_ref().err());
        if let Some(error) = unknown {
            console::warn(&format!("{name} is left alone: {error}"));
            continue;
        }
        let stopped = |status: Status| matches!(status, Status::Inactive | Status::Stopped);
        if reports
            .iter()
            .all(|report| report.state.as_ref().is_ok_and(|s| stopped(s.status)))
        {
            found.push(stored.group.clone());
        }
    }
    Ok(found)
}
