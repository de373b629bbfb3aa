//! The commands: one file for each, with its flags.

mod buildx;
mod driver;
mod format;
mod inspect;
mod network;
mod parse;
mod schema;
mod version;
mod volume;

pub use format::Format;
pub use parse::parse;
pub use version::VersionView;

use clap::{Parser, Subcommand};

use crate::failure::WrongLine;

/// Build with BuildKit; sandboxed WebAssembly drivers manage the builders
#[derive(Debug, Parser)]
#[command(
    name = "iechor",
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(disable_help_subcommand = true)]
pub struct Iechor {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build images and manage builders, with the commands of docker buildx
    Buildx(buildx::Buildx),
    /// Manage drivers
    Driver(driver::Driver),
    /// List volumes of the engine
    Volume(volume::Volume),
    /// Manage networks of the engine
    Network(network::Network),
    /// Show details of a container, image, network or volume of the engine
    Inspect(inspect::Inspect),
    Schema(schema::Schema),
    /// Show the version
    Version(version::Version),
}

/// Runs the command. `line` has the words that cannot be read: a build adds its own mistakes, all other
/// commands do not start.
pub fn run(arguments: Iechor, line: WrongLine) -> anyhow::Result<()> {
    if !matches!(arguments.command, Command::Buildx(_)) {
        line.clone().check()?;
    }
    match arguments.command {
        Command::Buildx(command) => command.run(line),
        Command::Driver(command) => command.run(),
        Command::Volume(command) => command.run(),
        Command::Network(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Version(command) => command.run(),
    }
}

#[cfg(test)]
mod tests;
