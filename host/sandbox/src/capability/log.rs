//! Diagnostics.

use std::sync::Arc;

use super::Interface;
use crate::bindings::iechor::driver::log;
use crate::declaration::{Function, Needs};
use crate::limits;
use crate::operation::{Host, Operation, Setup};
use crate::report::{Log, LogLevel};
use crate::text::clean_line;
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("log.enabled", Needs::Nothing),
    Function::new("log.write", Needs::Nothing),
];

/// Diagnostics, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "log",
    of_engine: false,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: log::add_to_linker::<Host, HasSelf<Host>>,
};

/// What logging needs of an operation.
struct Context {
    log: Arc<dyn Log>,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            log: Arc::clone(&setup.context.log),
        }
    }
}

impl log::Host for Host {
    async fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        let operation = self.called_with("log.enabled", |line, _| {
            line.word(word(level));
        });
        let Context { log } = operation.context();
        Ok(log.enabled(level_of(level)))
    }

    async fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("log.write", |line, _| {
            line.word(word(level))
                .word(&message)
                .pairs("fields", &fields);
        });
        let level = level_of(level);
        // Log records explain a crash, like printed output.
        self.stderr.push(message.as_bytes());
        self.stderr.push(b"\n");
        let Context { log } = operation.context();
        if log.enabled(level) {
            let fields: Vec<_> = fields
                .iter()
                .take(16)
                .map(|(name, value)| (clean_line(name, 100), clean_line(value, limits::LINE)))
                .collect();
            let message = clean_line(&message, limits::LINE);
            let size = fields
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
            if operation.spend_output(message.len() + size) {
                log.write(level, &operation.driver, &message, &fields);
            }
        }
        Ok(())
    }
}

/// Writes a record of a driver to the log.
pub(super) fn write(operation: &Operation, level: LogLevel, line: &str) {
    let Context { log } = operation.context();
    log.write(level, &operation.driver, line, &[]);
}

fn word(level: log::Level) -> &'static str {
    match level {
        log::Level::Trace => "trace",
        log::Level::Debug => "debug",
        log::Level::Info => "info",
        log::Level::Warn => "warn",
        log::Level::Error => "error",
    }
}

fn level_of(level: log::Level) -> LogLevel {
    match level {
        log::Level::Trace => LogLevel::Trace,
        log::Level::Debug => LogLevel::Debug,
        log::Level::Info => LogLevel::Info,
        log::Level::Warn => LogLevel::Warn,
        log::Level::Error => LogLevel::Error,
    }
}
