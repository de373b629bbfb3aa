//! What the processes of simulated containers do.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{ContainerSpec, LogChunk, LogStream};

/// A function that decides about a container's process when it starts.
pub(super) type OnStart = Arc<dyn Fn(&ContainerSpec) -> Option<Behavior> + Send + Sync>;

/// What a container's process does after it is started.
#[derive(Debug, Clone)]
pub struct Behavior {
    pub(super) log: Vec<LogChunk>,
    pub(super) end: End,
    pub(super) stop_code: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) enum End {
    Never,
    Exits {
        code: i64,
        out_of_memory: bool,
        after_calls: u64,
    },
    NeverStarts(String),
}

impl Behavior {
    fn new(end: End) -> Self {
        Self {
            log: Vec::new(),
            end,
            stop_code: None,
        }
    }

    /// Returns a process that runs until it is stopped.
    pub fn stays_up() -> Self {
        Self::new(End::Never)
    }

    /// Returns a process that ends at once with this exit code.
    pub fn exits(code: i64) -> Self {
        Self::new(End::Exits {
            code,
            out_of_memory: false,
            after_calls: 0,
        })
    }

    /// Returns a process that the kernel kills at once because memory runs out.
    pub fn runs_out_of_memory() -> Self {
        Self::new(End::Exits {
            code: 137,
            out_of_memory: true,
            after_calls: 0,
        })
    }

    /// Returns a process that the engine cannot start; `words` is the engine's message.
    pub fn never_starts(words: impl Into<String>) -> Self {
        Self::new(End::NeverStarts(words.into()))
    }

    /// Lets the process end only after the engine has answered this many further calls.
    #[must_use]
    pub fn after_calls(mut self, calls: u64) -> Self {
        if let End::Exits { after_calls, .. } = &mut self.end {
            *after_calls = calls;
        }
        self
    }

    /// Adds a line, without a line feed, that the process writes when it starts.
    #[must_use]
    pub fn with_log(mut self, stream: LogStream, line: &str) -> Self {
        let data = Bytes::from(format!("{line}\n"));
        self.log.push(LogChunk { stream, data });
        self
    }

    /// Sets the exit code for a stop. The default is that of a process that a signal ends: 143 with
    /// an init process, which passes the signal on, else 137.
    #[must_use]
    pub fn stops_with(mut self, code: i64) -> Self {
        self.stop_code = Some(code);
        self
    }
}
