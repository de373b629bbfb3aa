//! The commands: a file each, with its flags.

mod buildx;
mod driver;
mod format;
mod inspect;
mod network;
mod version;
mod volume;

pub use format::Format;

use clap::{Parser, Subcommand};

/// Builds with BuildKit, whose life is in the hands of drivers that run as sandboxed WebAssembly
/// components.
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
    /// Builders and builds, as docker buildx has them
    Buildx(buildx::Buildx),
    /// Drivers: what they are and what they ask for
    Driver(driver::Driver),
    /// Volumes of the engine
    Volume(volume::Volume),
    /// Networks of the engine
    Network(network::Network),
    /// Show what the engine knows about a container, image, network or volume
    Inspect(inspect::Inspect),
    /// Show the version
    Version(version::Version),
}

/// Runs the command.
pub fn run(arguments: Iechor) -> anyhow::Result<()> {
    match arguments.command {
        Command::Buildx(command) => command.run(),
        Command::Driver(command) => command.run(),
        Command::Volume(command) => command.run(),
        Command::Network(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Version(command) => command.run(),
    }
}
