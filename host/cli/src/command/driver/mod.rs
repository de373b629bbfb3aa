//! `iechor driver`: components, before any builder is made with them.

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

/// Drivers: what they are, where they come from and what they may do
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

/// Characters of a text of a driver or a server that are shown.
const WORDS: usize = 4 << 10;

/// Returns a text of a driver or a server on one line, without what would move the cursor.
fn shown(text: &str) -> String {
    iechor_text::clean_line(text, WORDS)
}

/// Returns the patterns of a scope; `any` where that amounts to every subject.
fn scope(any: bool, patterns: &[String]) -> String {
    match any {
        true => "any".to_owned(),
        false => shown(&patterns.join(", ")),
    }
}

/// Returns whether a driver can do without a request.
fn need(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}

/// Returns the beginning of a digest, for tables.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:0123456789ab".len()).collect()
}

/// Returns the mark of a request that gives control over the engine's machine.
fn risk(high_risk: bool) -> &'static str {
    if high_risk { "high risk" } else { "" }
}
