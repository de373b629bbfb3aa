//! `iechor driver rm`

use anyhow::bail;
use clap::Args;
use iechor_builder::drivers::manage;

use crate::session::{self, Common};
use crate::terminal;

/// Remove installed drivers, with what was granted to them
#[derive(Debug, Args)]
pub struct Rm {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
    /// Remove a driver although builders use it; nothing can be done with those then
    #[arg(short, long)]
    force: bool,
}

impl Rm {
    /// Removes the drivers, each whatever becomes of the others.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let mut failures = Vec::new();
            for name in &self.names {
                match manage::remove(&workspace.store, name, self.force) {
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
            for failure in failures.iter().chain([&last]) {
                terminal::error(&failure.to_string());
            }
            bail!("failed to remove one or more drivers")
        })
    }
}
