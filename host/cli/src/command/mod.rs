//! The commands: a file each, with its flags.

mod buildx;
mod driver;
mod inspect;
mod network;
mod version;
mod volume;

use std::str::FromStr;

use clap::{Parser, Subcommand, ValueEnum};

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

/// How a listing or inspection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs: a stable schema
    Json,
}

/// How a listing is written, where templates are possible too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListFormat {
    /// For people
    Table,
    /// For programs: a line of JSON for each, of a stable schema
    Json,
    /// A line for each, see [`crate::template`]
    Template(String),
}

impl FromStr for ListFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            template if template.contains("{{") => Ok(Self::Template(template.to_owned())),
            _ => Err("there are table, json, and templates such as '{{.Name}}'".into()),
        }
    }
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
