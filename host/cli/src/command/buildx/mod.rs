//! `iechor buildx`: the commands of docker buildx.

mod build;
mod create;
mod inspect;
mod ls;
mod platforms;
mod rm;
mod stop;
mod use_builder;
mod version;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::session::Common;

/// Build images and manage builders, with the commands of docker buildx
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Buildx {
    /// Builder to use instead of the current builder
    #[arg(long, global = true, value_name = "NAME")]
    builder: Option<String>,
    /// Print debug messages
    #[arg(short = 'D', long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a build
    #[command(visible_alias = "b")]
    Build(Box<build::Build>),
    /// Create a builder, or change a node of a builder
    Create(Box<create::Create>),
    /// Show a builder and its nodes
    Inspect(inspect::Inspect),
    /// List builders
    Ls(ls::Ls),
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
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let common = Common {
            builder: self.builder,
            debug: self.debug,
        };
        match self.command {
            Command::Build(command) => command.run(&common),
            Command::Create(command) => command.run(&common),
            Command::Inspect(command) => command.run(&common),
            Command::Ls(command) => command.run(&common),
            Command::Rm(command) => command.run(&common),
            Command::Stop(command) => command.run(&common),
            Command::Use(command) => command.run(&common),
            Command::Version(command) => command.run(),
        }
    }
}

/// Parses a duration such as `20s`, `1m30s` or `500ms`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 20s or 1m30s");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |at| digits + at);
        let seconds = match &rest[digits..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        rest = &rest[unit_end..];
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans() {
        assert_eq!(parse_duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        for text in ["", "20", "s", "1x", "-1s", "1s2"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
