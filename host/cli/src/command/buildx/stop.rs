//! `iechor buildx stop`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use futures_util::future::join_all;
use iechor_builder::selection::Chosen;
use iechor_builder::view::StoppedBuilder;
use iechor_builder::{BuilderError, Workspace, lifecycle};
use iechor_values::duration;

use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{failure, terminal};

/// Stop one or more builders
#[derive(Debug, Args)]
pub struct Stop {
    /// Builder names (default: the current builder)
    names: Vec<String>,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
    /// Time that the engine of each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Stop {
    /// Stops all nodes of the builders at the same time. A failure does not keep the others running.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let mut names: Vec<_> = self.names.iter().map(|name| Some(name.as_str())).collect();
            if names.is_empty() {
                names.push(None);
            }
            let is_single = names.len() == 1;
            let work = names.iter().map(|name| async {
                let (name, outcome) = stop(&workspace, *name, self.timeout).await;
                if let Err(error) = &outcome
                    && !is_single
                {
                    terminal::say(&format!("failed to stop {name}: {error}"));
                    failure::advise([error]);
                }
                (name, outcome)
            });
            let stopped = join_all(work).await;
            let views = stopped.iter().map(|(name, outcome)| StoppedBuilder {
                name: name.clone(),
                stopped: matches!(outcome, Ok(true)),
                err: outcome.as_ref().err().map(ToString::to_string),
            });
            self.format.list(Text::default, views)?;
            let mut failures: Vec<_> = stopped
                .into_iter()
                .filter_map(|(_, outcome)| outcome.err())
                .collect();
            match failures.iter().position(BuilderError::is_cancelled) {
                Some(cancelled) => Err(failures.swap_remove(cancelled).into()),
                None if is_single => failures.pop().map_or(Ok(()), |error| Err(error.into())),
                None if failures.is_empty() => Ok(()),
                None => bail!("failed to stop one or more builders"),
            }
        })
    }
}

/// Stops a builder. Returns its name, and whether it was stopped: a builder that is the engine itself runs
/// on.
async fn stop(
    workspace: &Workspace,
    name: Option<&str>,
    limit: Duration,
) -> (String, Result<bool, BuilderError>) {
    let chosen = match workspace.select(name) {
        Ok(chosen) => chosen,
        Err(error) => return (name.unwrap_or_default().to_owned(), Err(error)),
    };
    let group = chosen.group();
    if let Chosen::Context(name) = chosen {
        terminal::warn(&format!(
            "nothing to stop: builder {name} is the engine itself"
        ));
        return (name, Ok(false));
    }
    let stopped = lifecycle::stop(workspace, &group, limit).await;
    (group.name, stopped.map(|()| true))
}
