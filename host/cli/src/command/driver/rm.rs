//! `iechor driver rm`

use anyhow::bail;
use clap::Args;

use crate::session::{self, Common};
use crate::{failure, terminal};

/// Remove one or more installed drivers and their grants
#[derive(Debug, Args)]
pub struct Rm {
    /// Names of the drivers
    #[arg(required = true)]
    names: Vec<String>,
    /// Remove a driver even if builders use it; these builders can no longer be used
    #[arg(short, long)]
    force: bool,
}

impl Rm {
    /// Removes the drivers. A failure does not stop the removal of the others.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let mut failures = Vec::new();
            for name in &self.names {
                match workspace.catalog.remove(name, self.force) {
                    Ok(removed) => terminal::line(&removed)?,
                    Err(error) => failures.push(error),
                }
            }
            let Some(last) = failures.pop() else {
                return Ok(());
            };
            if failures.is_empty() {
                return Err(last.into());
            }
            for error in failures.iter().chain([&last]) {
                terminal::error(&error.to_string());
                failure::advise_on_drivers([error]);
            }
            bail!("failed to remove one or more drivers")
        })
    }
}
