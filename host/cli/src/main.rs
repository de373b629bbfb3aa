//! The `iechor` command line.
//!
//! - `command` has one file for each command: its flags, and how it uses the crates below.
//! - `line` has the syntax of command lines, which is that of docker buildx.
//! - `terminal` owns the terminal: results, messages, progress and questions; `text`, `table` and
//!   `template` shape results.
//! - `failure` turns errors into messages, hints and exit codes.
//! - `scaffold` writes the projects of new drivers.
//! - `schema` has the JSON Schemas of what commands print with `--format json`.
//! - `composition` connects the program with the sandbox of drivers.
//! - `session` is what commands share: the runtime, signals, and the workspace.

mod command;
mod composition;
mod failure;
mod line;
mod scaffold;
mod schema;
mod session;
mod table;
mod template;
mod terminal;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    composition::serve_compiler_if_asked();
    std::panic::set_hook(Box::new(terminal::panicked));
    let ran = command::parse(std::env::args_os());
    let ran = ran.and_then(|(arguments, line)| command::run(arguments, line));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
