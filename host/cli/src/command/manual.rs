//! `iechor manual`

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::root::Root;

/// Write the manual pages of all commands into a directory
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Manual {
    /// Existing directory
    directory: PathBuf,
}

impl Manual {
    /// Writes the pages. Packages contain them.
    pub fn run(self) -> anyhow::Result<()> {
        clap_mangen::generate_to(Root::Iechor.command(), &self.directory)
            .with_context(|| format!("cannot write to {}", self.directory.display()))
    }
}
