//! What connects this program with the sandbox of drivers.
//!
//! The rest of the program works with requests and views of the crates for builders, builds and
//! drivers. A few things can only be set up by the program itself, since they belong to the process: it
//! is its own compiler of components, and the messages of drivers and of the compiler go to its terminal.
//! Only this file uses the sandbox for them.

use iechor_build::BuildError;
use iechor_builder::BuilderError;
use iechor_sandbox::compilation::{self, Compilation};
use iechor_sandbox::{DriverError, Log, LogLevel, compiler};

use crate::terminal;

/// Compiles a component and exits, if this process was started by the sandbox to do that.
pub fn serve_compiler_if_asked() {
    compiler::serve_if_asked();
}

/// Prints from now on when a large component is compiled.
pub fn announce_compilations() {
    compilation::listen(say_compilation);
}

/// Returns where a driver crashed, if that is the error.
pub fn backtrace(error: &anyhow::Error) -> Option<&str> {
    let error = match error.downcast_ref().map(BuildError::of_node) {
        Some(BuildError::HostGateway(error)) => Some(&**error),
        _ => error.downcast_ref(),
    };
    match error {
        Some(BuilderError::Driver(DriverError::Crashed { backtrace, .. })) => Some(backtrace),
        _ => None,
    }
}

/// Prints the log messages of drivers.
pub struct DriverLog {
    /// Prints all levels; otherwise warnings and errors only.
    pub debug: bool,
}

impl Log for DriverLog {
    fn enabled(&self, level: LogLevel) -> bool {
        self.debug || level >= LogLevel::Warn
    }

    fn write(&self, level: LogLevel, driver: &str, message: &str, fields: &[(String, String)]) {
        if !self.enabled(level) {
            return;
        }
        let level = match level {
            LogLevel::Trace => "TRACE",
            LogLevel::Debug => "DEBUG",
            LogLevel::Info => "INFO",
            LogLevel::Warn => "WARNING",
            LogLevel::Error => "ERROR",
        };
        let fields: String = fields
            .iter()
            .map(|(field, value)| format!(" {field}={value}"))
            .collect();
        terminal::driver(level, driver, &format!("{message}{fields}"));
    }
}

/// Prints that a component is compiled, if it is large enough to take a while.
fn say_compilation(compilation: Compilation<'_>) {
    const LARGE: usize = 2 << 20;
    match compilation {
        Compilation::Begins { driver, bytes } if bytes >= LARGE => terminal::say(&format!(
            "compiling driver {driver} ({} MiB); this takes some seconds the first time",
            bytes >> 20
        )),
        Compilation::Done {
            driver,
            bytes,
            took,
        } if bytes >= LARGE => terminal::say(&format!(
            "compiled driver {driver} in {:.1} s",
            took.as_secs_f64()
        )),
        _ => {}
    }
}
