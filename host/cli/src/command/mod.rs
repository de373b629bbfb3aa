//! The commands: one file for each, with its flags.

mod buildx;
mod completion;
mod driver;
mod format;
mod inspect;
mod manual;
mod network;
mod parse;
mod plugin;
mod root;
mod schema;
mod version;
mod volume;

pub use format::Format;
pub use parse::parse;
#[cfg(test)]
pub use root::Iechor;
pub use root::Root;
pub use version::VersionView;

use clap::Subcommand;

use crate::failure::WrongLine;

/// A command, with its flags and arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
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
    Plugin(plugin::Plugin),
    Completion(completion::Completion),
    Manual(manual::Manual),
    Schema(schema::Schema),
    /// Show the version
    Version(version::Version),
}

impl Command {
    /// Runs the command. `line` has the words that cannot be read: a build adds its own mistakes, all other
    /// commands do not start.
    pub fn run(self, line: WrongLine) -> anyhow::Result<()> {
        if !matches!(self, Self::Buildx(_)) {
            line.clone().check()?;
        }
        match self {
            Self::Buildx(command) => command.run(line),
            Self::Driver(command) => command.run(),
            Self::Volume(command) => command.run(),
            Self::Network(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Plugin(command) => command.run(),
            Self::Completion(command) => command.run(),
            Self::Manual(command) => command.run(),
            Self::Schema(command) => command.run(),
            Self::Version(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests;
