//! Diagnostics.

use crate::bindings::iechor::driver::log;
use crate::limits;
use crate::operation::Host;
use crate::report::LogLevel;
use crate::text::clean_line;

impl log::Host for Host {
    async fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        let operation = self.called_with("log.enabled", |line, _| {
            line.word(word(level));
        });
        Ok(operation.log.enabled(level_of(level)))
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
        // What was logged explains a crash as what was printed does, whoever reads the log.
        self.stderr.push(message.as_bytes());
        self.stderr.push(b"\n");
        if operation.log.enabled(level) {
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
                operation
                    .log
                    .write(level, &operation.driver, &message, &fields);
            }
        }
        Ok(())
    }
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
