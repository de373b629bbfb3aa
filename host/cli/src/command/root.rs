//! The command lines by the names of the program: which commands and which flags stand at the root.
//!
//! Lines are wrapped (`term_width`) only in help for a terminal, see [`Root::help`].

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{Command, buildx};
use crate::failure;
use crate::plugin::DockerFlags;
use crate::program::{Name, Settings};

/// Flags of every command.
#[derive(Debug, Args)]
struct General {
    /// Print debug messages
    #[arg(short = 'D', long, global = true)]
    debug: bool,
}

/// Build with BuildKit; sandboxed WebAssembly drivers manage the builders
#[derive(Debug, Parser)]
#[command(
    name = "iechor",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    term_width = 0,
    after_help = failure::exit_codes()
)]
pub struct Iechor {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    command: Command,
}

/// The commands of docker buildx alone.
#[derive(Debug, Parser)]
#[command(name = "buildx", disable_help_subcommand = true, term_width = 0)]
struct Standalone {
    #[command(flatten)]
    general: General,
    #[command(flatten)]
    buildx: buildx::Buildx,
}

/// The command line of the Docker CLI, as it calls a plugin.
#[derive(Debug, Parser)]
#[command(
    name = "docker",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    term_width = 0
)]
struct Docker {
    #[command(flatten)]
    general: General,
    #[command(flatten)]
    flags: DockerFlags,
    #[command(subcommand)]
    command: DockerCommand,
}

#[derive(Debug, Subcommand)]
enum DockerCommand {
    Buildx(buildx::Buildx),
}

/// What stands at the root of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// All commands.
    Iechor,
    /// The commands of docker buildx, by this name.
    Buildx(Name),
    /// The command `buildx` below the flags of the Docker CLI.
    Docker,
}

impl Root {
    /// Returns the commands and flags, completely built.
    pub fn built(self) -> clap::Command {
        let mut root = self.command();
        root.build();
        root
    }

    /// Returns the commands and flags.
    pub fn command(self) -> clap::Command {
        match self {
            Self::Iechor => Iechor::command(),
            Self::Buildx(name) => Standalone::command().bin_name(name.buildx()),
            Self::Docker => Docker::command().bin_name("docker"),
        }
    }

    /// Returns the help that a command line asks for, for a terminal. `None` if it asks for no help.
    pub fn help(
        self,
        words: &[std::ffi::OsString],
        width: usize,
        coloured: bool,
    ) -> Option<String> {
        let heading = AnsiColor::Green.on_default().effects(Effects::BOLD);
        let name = AnsiColor::Cyan.on_default().effects(Effects::BOLD);
        let styles = Styles::plain()
            .header(heading)
            .usage(heading)
            .literal(name)
            .placeholder(AnsiColor::Cyan.on_default());
        let root = self.command().term_width(width).styles(styles);
        let help = root.try_get_matches_from(words).err()?.render();
        Some(match coloured {
            true => help.ansi().to_string(),
            false => help.to_string(),
        })
    }

    /// Reads a command line that clap understands.
    ///
    /// # Errors
    ///
    /// An error of clap, or flags of the Docker CLI that contradict each other.
    pub fn read(self, words: &[std::ffi::OsString]) -> Result<(Command, Settings), RootError> {
        let mut matches = self.command().try_get_matches_from(words)?;
        let (general, command, client) = match self {
            Self::Iechor => {
                let read = Iechor::from_arg_matches_mut(&mut matches)?;
                (read.general, read.command, DockerFlags::default())
            }
            Self::Buildx(_) => {
                let read = Standalone::from_arg_matches_mut(&mut matches)?;
                let command = Command::Buildx(read.buildx);
                (read.general, command, DockerFlags::default())
            }
            Self::Docker => {
                let read = Docker::from_arg_matches_mut(&mut matches)?;
                let DockerCommand::Buildx(buildx) = read.command;
                (read.general, Command::Buildx(buildx), read.flags)
            }
        };
        let settings = Settings {
            debug: general.debug || client.debug(),
            client: client.settings()?,
        };
        Ok((command, settings))
    }
}

/// A command line that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Clap refuses it, or has help as an error.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    /// Flags of the Docker CLI contradict each other.
    #[error(transparent)]
    Flags(#[from] crate::plugin::FlagError),
}
