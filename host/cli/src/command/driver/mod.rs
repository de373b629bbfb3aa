//! `iechor driver`: components, before any builder is made with them.

mod inspect;

use clap::{Args, Subcommand};

/// Drivers: what they are and what they ask for
#[derive(Debug, Args)]
pub struct Driver {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
}

impl Driver {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Inspect(command) => command.run(),
        }
    }
}
