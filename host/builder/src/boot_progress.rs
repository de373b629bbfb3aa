//! The progress of a driver, as the vertex of a build.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use iechor_buildkit::status::{SolveStatus, Vertex, VertexLog, VertexStatus};
use iechor_engine::model::LogStream;
use iechor_sandbox::{Progress, StepId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Where a command's status goes.
pub type StatusSender = mpsc::Sender<SolveStatus>;

/// A vertex below which a driver's steps are shown.
pub struct VertexProgress {
    digest: String,
    name: String,
    started: SystemTime,
    steps: Mutex<HashMap<StepId, (String, SystemTime)>>,
    // Drivers report without waiting; the forwarder does.
    sender: mpsc::UnboundedSender<SolveStatus>,
}

/// The task that hands on what a [`VertexProgress`] reports.
pub struct Forwarder(JoinHandle<()>);

impl Forwarder {
    /// Waits until everything was handed on.
    pub async fn finish(self) {
        // It ends when the vertex is dropped, and has nothing that can fail.
        let _ = self.0.await;
    }
}

impl VertexProgress {
    /// Begins a vertex.
    pub fn begin(name: &str, status: StatusSender) -> (Self, Forwarder) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let forwarder = tokio::spawn(async move {
            while let Some(update) = receiver.recv().await {
                if status.send(update).await.is_err() {
                    break;
                }
            }
        });
        let vertex = Self {
            digest: format!("iechor:{}", iechor_buildkit::new_id()),
            name: name.into(),
            started: SystemTime::now(),
            steps: Mutex::default(),
            sender,
        };
        vertex.send_vertex(None, String::new());
        (vertex, Forwarder(forwarder))
    }

    /// Ends the vertex; an error is shown with it.
    pub fn end(&self, outcome: Result<(), String>) {
        self.send_vertex(Some(SystemTime::now()), outcome.err().unwrap_or_default());
    }

    fn send_vertex(&self, completed: Option<SystemTime>, error: String) {
        self.send(SolveStatus {
            vertexes: vec![Vertex {
                digest: self.digest.clone(),
                name: self.name.clone(),
                started: Some(self.started),
                completed,
                error,
                ..Vertex::default()
            }],
            ..SolveStatus::default()
        });
    }

    fn send_status(&self, id: &str, counts: (u64, u64), started: SystemTime, completed: bool) {
        let now = SystemTime::now();
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.send(SolveStatus {
            statuses: vec![VertexStatus {
                id: id.into(),
                vertex: self.digest.clone(),
                current: signed(counts.0),
                total: signed(counts.1),
                timestamp: now,
                started: Some(started),
                completed: completed.then_some(now),
                ..VertexStatus::default()
            }],
            ..SolveStatus::default()
        });
    }

    fn send_log(&self, stream: i64, data: Bytes) {
        self.send(SolveStatus {
            logs: vec![VertexLog {
                vertex: self.digest.clone(),
                stream,
                data,
                timestamp: SystemTime::now(),
            }],
            ..SolveStatus::default()
        });
    }

    fn send(&self, status: SolveStatus) {
        // Nobody watches any more: no reason to stop.
        let _ = self.sender.send(status);
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, HashMap<StepId, (String, SystemTime)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for VertexProgress {
    fn begin(&self, step: StepId, _: Option<StepId>, name: &str) {
        let now = SystemTime::now();
        self.steps().insert(step, (name.to_owned(), now));
        self.send_status(name, (0, 0), now, false);
    }

    fn output(&self, _: StepId, stream: LogStream, data: Bytes) {
        self.send_log(if stream == LogStream::Stderr { 2 } else { 1 }, data);
    }

    fn count(&self, _: StepId, counter: &str, current: u64, total: Option<u64>) {
        let total = total.unwrap_or(0);
        let done = total > 0 && current >= total;
        self.send_status(counter, (current, total), SystemTime::now(), done);
    }

    fn finish(&self, step: StepId, outcome: Result<(), String>) {
        let Some((name, started)) = self.steps().remove(&step) else {
            return;
        };
        if let Err(reason) = outcome {
            self.send_log(2, Bytes::from(format!("{name} failed: {reason}\n")));
        }
        self.send_status(&name, (0, 0), started, true);
    }
}
