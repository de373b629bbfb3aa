//! Diagnostics.

use crate::bindings::iechor::driver::log;
use crate::limits;
use crate::operation::Host;
use crate::report::LogLevel;
use crate::text::clean_line;

impl log::Host for Host {
    async fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        let operation = self.called();
        Ok(operation.log.enabled(level_of(level)))
    }

    async fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let operation = self.called();
        let level = level_of(level);
        let size = message.len() + fields.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        if operation.log.enabled(level) && operation.spend_output(size.min(limits::LINE)) {
            let fields: Vec<_> = fields
                .iter()
                .take(16)
                .map(|(name, value)| (clean_line(name, 100), clean_line(value, limits::LINE)))
                .collect();
            let message = clean_line(&message, limits::LINE);
            operation.log.write(level, &operation.driver, &message, &fields);
        }
        Ok(())
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
