//! `iechor driver rm`

use anyhow::bail;
use clap::Args;

use crate::session::{self, Common};
use crate::{console, failure};

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
                match workspace.catalog.remove(name, self.force) {
                    Ok(removed) => console::line(&removed)?,
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
                console::error(&error.to_string());
                failure::advise_on_drivers([error]);
            }
            bail!("failed to remove one or more drivers")
        })
    }
}
