//! `iechor driver`: the commands for drivers.

mod consent;
mod download;
mod inspect;
mod install;
mod ls;
mod new;
mod policy;
mod push;
mod rm;
mod test;
mod trust;
mod update;
mod verify;

use clap::{Args, Subcommand};

/// Manage drivers
#[derive(Debug, Args)]
pub struct Driver {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
    Install(install::Install),
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    New(new::New),
    Policy(policy::Policy),
    Push(push::Push),
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
    Test(test::Test),
    Trust(trust::Trust),
    Update(update::Update),
    Verify(verify::Verify),
}

impl Driver {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Inspect(command) => command.run(),
            Command::Install(command) => command.run(),
            Command::Ls(command) => command.run(),
            Command::New(command) => command.run(),
            Command::Policy(command) => command.run(),
            Command::Push(command) => command.run(),
            Command::Rm(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Trust(command) => command.run(),
            Command::Update(command) => command.run(),
            Command::Verify(command) => command.run(),
        }
    }
}

/// Maximum length of a text of a driver or a server, in characters.
const LONGEST: usize = 4 << 10;

/// Returns a text of a driver or a server on one line, without control characters.
fn shown(text: &str) -> String {
    iechor_text::clean_line(text, LONGEST)
}

/// Returns the patterns of a scope, or `any` if they match everything.
fn scope(any: bool, patterns: &[String]) -> String {
    match any {
        true => "any".to_owned(),
        false => shown(&patterns.join(", ")),
    }
}

/// Returns the label of a request that a driver requires, or does not.
fn need(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}

/// Returns the beginning of a digest, for tables.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:0123456789ab".len()).collect()
}

/// Returns the label of a capability that gives control over the engine's machine.
fn risk(high_risk: bool) -> &'static str {
    if high_risk { "high risk" } else { "" }
}
