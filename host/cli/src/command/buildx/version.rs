//! `iechor buildx version`

use clap::Args;

use crate::terminal;
use crate::version;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {}

impl Version {
    /// Prints the version of docker buildx that this program replaces, in its form, and the program's own one.
    pub fn run(self) -> anyhow::Result<()> {
        terminal::line(&version::line_of_buildx())
    }
}
