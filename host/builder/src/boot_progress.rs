//! The progress of a driver, as a vertex of a build's status.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use iechor_engine::model::LogStream;
pub use iechor_progress::vertex::{Forwarder, StatusSender};
use iechor_progress::vertex::{Stream, Vertex};
use iechor_sandbox::{Progress, StepId};

/// Maximum number of steps that a driver has begun and not finished whose names are kept.
const MOST_STEPS: usize = 1_000;

/// A vertex that shows the steps of a driver.
pub struct DriverProgress {
    vertex: Vertex,
    steps: Mutex<HashMap<StepId, (String, SystemTime)>>,
}

impl DriverProgress {
    /// Begins a vertex.
    pub fn begin(name: &str, status: StatusSender) -> (Self, Forwarder) {
        let (vertex, forwarder) = Vertex::begin(name, status);
        let steps = Mutex::default();
        (Self { vertex, steps }, forwarder)
    }

    /// Ends the vertex. An error is shown with it.
    pub fn end(&self, outcome: Result<(), String>) {
        self.vertex.end(outcome);
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, HashMap<StepId, (String, SystemTime)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for DriverProgress {
    fn begin(&self, step: StepId, _: Option<StepId>, name: &str) {
        let now = SystemTime::now();
        let mut steps = self.steps();
        if steps.len() < MOST_STEPS {
            steps.insert(step, (name.to_owned(), now));
        }
        drop(steps);
        self.vertex.work(name, now, false);
    }

    fn output(&self, _: StepId, stream: LogStream, data: Bytes) {
        let stream = match stream {
            LogStream::Stdout => Stream::Output,
            LogStream::Stderr => Stream::Error,
        };
        self.vertex.output(stream, data);
    }

    fn count(&self, _: StepId, counter: &str, current: u64, total: Option<u64>) {
        self.vertex.count(counter, current, total);
    }

    fn finish(&self, step: StepId, outcome: Result<(), String>) {
        let Some((name, started)) = self.steps().remove(&step) else {
            return;
        };
        if let Err(reason) = outcome {
            let line = format!("{name} failed: {reason}\n");
            self.vertex.output(Stream::Error, Bytes::from(line));
        }
        self.vertex.work(&name, started, true);
    }
}
