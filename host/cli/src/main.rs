//! The `iechor` command line.
//!
//! - `command` has a file a command: its flags, and what it does with the crates below.
//! - `terminal` is everything that is shown: results on standard output, progress and words on
//!   standard error; `text`, `table` and `template` shape results.
//! - `failure` turns errors into words and exit codes.
//! - `scaffold` writes the projects of new drivers.
//! - `session` is what commands share: the runtime, Ctrl-C, the log.

mod command;
mod failure;
mod scaffold;
mod session;
mod table;
mod template;
mod terminal;
mod text;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    iechor_sandbox::compiler::serve_if_asked();
    std::panic::set_hook(Box::new(terminal::panicked));
    let arguments = match command::Iechor::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return failure::usage(error),
    };
    match command::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
