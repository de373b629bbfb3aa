//! `iechor plugin`: the commands for the plugin of the Docker CLI.

mod install;
mod uninstall;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::plugin::link;
use crate::session::{self, Common};

/// Manage the plugin of the Docker CLI, which makes this program `docker buildx`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Install),
    #[command(visible_alias = "rm")]
    Uninstall(uninstall::Uninstall),
}

impl Plugin {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Install(command) => command.run(),
            Command::Uninstall(command) => command.run(),
        }
    }
}

/// Returns the directory for plugins: that of all users, or that of the user.
fn directory(system: bool) -> anyhow::Result<PathBuf> {
    if system {
        return Ok(link::SYSTEM.into());
    }
    let mut directory = PathBuf::new();
    session::query(&Common::default(), |workspace| {
        directory = workspace.config.directory().join("cli-plugins");
        std::future::ready(Ok(()))
    })?;
    Ok(directory)
}

/// Returns the file of this program, which a link leads to.
fn program() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.canonicalize()?)
}
