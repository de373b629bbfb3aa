//! `iechor buildx version`

use clap::Args;

use crate::terminal;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {}

impl Version {
    /// Prints the program's version as the peer prints its own: package, version, revision.
    pub fn run(self) -> anyhow::Result<()> {
        terminal::line(&format!("iechor/buildx v{}", env!("CARGO_PKG_VERSION")))
    }
}
