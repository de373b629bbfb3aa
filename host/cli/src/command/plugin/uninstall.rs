//! `iechor plugin uninstall`

use clap::Args;

use crate::plugin::link;
use crate::terminal;

/// Remove the link that install has created
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Remove it for all users, from /usr/local/lib/docker/cli-plugins
    #[arg(long)]
    system: bool,
}

impl Uninstall {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let directory = super::directory(self.system)?;
        link::uninstall(&directory, &super::program()?)?;
        terminal::say(&format!("removed {}", directory.join(link::FILE).display()));
        Ok(())
    }
}
