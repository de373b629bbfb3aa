//! Keeps what a driver showed and logged.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use iechor_engine::model::LogStream;
use iechor_sandbox::{Log, LogLevel, Progress, StepId};

/// Progress and log, in lines.
#[derive(Default)]
pub struct Watcher {
    shown: Mutex<Vec<String>>,
    logged: Mutex<Vec<String>>,
}

impl Watcher {
    /// Returns the progress: `begin NAME`, `output BYTES`, `count COUNTER`, `finish OUTCOME`.
    pub fn shown(&self) -> Vec<String> {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the log, from level `info` on: message and fields.
    pub fn logged(&self) -> Vec<String> {
        self.logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn show(&self, line: String) {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}

impl Progress for Watcher {
    fn begin(&self, _: StepId, _: Option<StepId>, name: &str) {
        self.show(format!("begin {name}"));
    }
    fn output(&self, _: StepId, _: LogStream, data: Bytes) {
        self.show(format!("output {}", data.len()));
    }
    fn count(&self, _: StepId, counter: &str, _: u64, _: Option<u64>) {
        self.show(format!("count {counter}"));
    }
    fn finish(&self, _: StepId, outcome: Result<(), String>) {
        self.show(format!("finish {outcome:?}"));
    }
}

impl Log for Watcher {
    fn enabled(&self, level: LogLevel) -> bool {
        level >= LogLevel::Info
    }
    fn write(&self, _: LogLevel, _: &str, message: &str, fields: &[(String, String)]) {
        let mut line = message.to_owned();
        for (name, value) in fields {
            line += &format!(" {name}={value}");
        }
        self.logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}
