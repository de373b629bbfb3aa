//! `iechor buildx`: the commands of docker buildx.

mod bake;
mod build;
mod cache_filters;
mod cache_records;
mod create;
mod dial_stdio;
mod du;
mod inspect;
mod ls;
mod platforms;
mod prune;
mod rm;
mod stop;
mod use_builder;
mod version;

use clap::{Args, Subcommand};

use crate::failure::WrongLine;
use crate::session::Common;

/// Build images and manage builders, with the commands of docker buildx
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Buildx {
    /// Builder to use instead of the current builder
    #[arg(long, global = true, value_name = "NAME")]
    builder: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the targets of a definition file
    #[command(alias = "f")]
    Bake(Box<bake::Bake>),
    /// Start a build
    #[command(visible_alias = "b")]
    Build(Box<build::Build>),
    /// Create a builder, or change a node of a builder
    Create(Box<create::Create>),
    DialStdio(dial_stdio::DialStdio),
    Du(du::Du),
    /// Show a builder and its nodes
    Inspect(inspect::Inspect),
    /// List builders
    Ls(ls::Ls),
    Prune(prune::Prune),
    /// Remove one or more builders
    Rm(rm::Rm),
    /// Stop a builder
    Stop(stop::Stop),
    /// Set the current builder
    Use(use_builder::Use),
    /// Show the version
    Version(version::Version),
}

impl Buildx {
    /// Runs the command. `line` has the words that cannot be read.
    pub fn run(self, line: WrongLine) -> anyhow::Result<()> {
        if !matches!(self.command, Command::Build(_)) {
            line.clone().check()?;
        }
        let common = Common {
            builder: self.builder,
            line,
        };
        match self.command {
            Command::Bake(command) => command.run(&common),
            Command::Build(command) => command.run(&common),
            Command::Create(command) => command.run(&common),
            Command::DialStdio(command) => command.run(&common),
            Command::Du(command) => command.run(&common),
            Command::Inspect(command) => command.run(&common),
            Command::Ls(command) => command.run(&common),
            Command::Prune(command) => command.run(&common),
            Command::Rm(command) => command.run(&common),
            Command::Stop(command) => command.run(&common),
            Command::Use(command) => command.run(&common),
            Command::Version(command) => command.run(),
        }
    }
}
