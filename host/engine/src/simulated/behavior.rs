use crate::model::{LogChunk, LogStream};
use bytes::Bytes;

/// What a container's process does once it is started.
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

    /// It runs until it is stopped.
    pub fn stays_up() -> Self {
        Self::new(End::Never)
    }

    /// It ends by itself, at once.
    pub fn exits(code: i64) -> Self {
        Self::new(End::Exits {
            code,
            out_of_memory: false,
            after_calls: 0,
        })
    }

    /// The kernel kills it at once for want of memory.
    pub fn runs_out_of_memory() -> Self {
        Self::new(End::Exits {
            code: 137,
            out_of_memory: true,
            after_calls: 0,
        })
    }

    /// The engine cannot start it, and says so in these words.
    pub fn never_starts(words: impl Into<String>) -> Self {
        Self::new(End::NeverStarts(words.into()))
    }

    /// It ends only when the engine has answered so many further calls.
    #[must_use]
    pub fn after_calls(mut self, calls: u64) -> Self {
        if let End::Exits { after_calls, .. } = &mut self.end {
            *after_calls = calls;
        }
        self
    }

    /// It writes this line, without a newline, when it is started.
    #[must_use]
    pub fn with_log(mut self, stream: LogStream, line: &str) -> Self {
        let data = Bytes::from(format!("{line}\n"));
        self.log.push(LogChunk { stream, data });
        self
    }

    /// The exit code when it is stopped. By default that of a process that is ended by a signal:
    /// 143 with an init process, which passes the signal on, else 137.
    #[must_use]
    pub fn stops_with(mut self, code: i64) -> Self {
        self.stop_code = Some(code);
        self
    }
}
