//! `iechor buildx version`

use clap::Args;

use crate::terminal;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {}

impl Version {
    /// Prints the version as docker buildx does: package and version.
    pub fn run(self) -> anyhow::Result<()> {
        terminal::line(&format!("iechor/buildx v{}", env!("CARGO_PKG_VERSION")))
    }
}
