//! The `iechor` command line.
//!
//! - `command` has one file for each command: its flags, and how it uses the crates below.
//! - `line` has the syntax of command lines, which is that of docker buildx.
//! - `complete` completes command lines for shells and for the Docker CLI.
//! - `program` knows the name that the program was called by; `plugin` is its part as a plugin of the Docker CLI.
//! - `terminal` owns the terminal: results, messages, progress and questions; `text`, `table` and
//!   `template` shape results.
//! - `log` prints debug messages.
//! - `failure` turns errors into messages, hints and exit codes.
//! - `scaffold` writes the projects of new drivers.
//! - `schema` has the JSON Schemas of what commands print with `--format json`.
//! - `composition` connects the program with the sandbox of drivers.
//! - `session` is what commands share: the runtime and the workspace; `interrupt` cancels a command.

mod command;
mod complete;
mod composition;
mod failure;
#[cfg(test)]
mod fuzz;
mod interrupt;
mod line;
mod log;
mod plugin;
mod program;
mod scaffold;
mod schema;
mod session;
mod table;
mod template;
mod terminal;
mod text;
mod version;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use program::Name;

fn main() -> ExitCode {
    composition::serve_compiler_if_asked();
    std::panic::set_hook(Box::new(terminal::panicked));
    match run(std::env::args_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

/// Runs a command line, which begins with the name of the program.
fn run(words: Vec<OsString>) -> anyhow::Result<()> {
    program::set_name(Name::of(words.first().map_or(OsStr::new(""), |word| word)));
    let answered = plugin::answer(&words).or_else(|| complete::answer(&words));
    if let Some(answered) = answered {
        return answered;
    }
    let (command, line) = command::parse(words)?;
    log::start(program::settings().debug);
    command.run(line)
}
