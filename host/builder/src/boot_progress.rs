//! The progress of a driver, as the vertex of a build.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use iechor_buildkit::status::{SolveStatus, Vertex, VertexLog, VertexStatus};
use iechor_engine::model::LogStream;
use iechor_sandbox::{Progress, StepId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Bytes of reports that may wait to be shown. A terminal that is slow loses lines and counts of a
/// driver or an engine that says more, but no beginning and no end of a vertex.
const MOST_WAITING: usize = 4 << 20;

/// Bytes that a report takes beside its texts, about.
const REPORT: usize = 500;

/// Steps that a driver has begun and not finished of which the names are kept.
const MOST_STEPS: usize = 1_000;

/// Where a command's status goes.
pub type StatusSender = mpsc::Sender<SolveStatus>;

/// A vertex below which a driver's steps are shown.
pub struct VertexProgress {
    digest: String,
    name: String,
    started: SystemTime,
    steps: Mutex<HashMap<StepId, (String, SystemTime)>>,
    // Drivers report without waiting; the forwarder does.
    sender: mpsc::UnboundedSender<(SolveStatus, usize)>,
    /// Bytes that wait in the channel.
    waiting: Arc<AtomicUsize>,
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
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&waiting);
        let forwarder = tokio::spawn(async move {
            while let Some((update, bytes)) = receiver.recv().await {
                taken.fetch_sub(bytes, Ordering::Relaxed);
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
            waiting,
        };
        vertex.send_vertex(None, String::new());
        (vertex, Forwarder(forwarder))
    }

    /// Ends the vertex; an error is shown with it.
    pub fn end(&self, outcome: Result<(), String>) {
        self.send_vertex(Some(SystemTime::now()), outcome.err().unwrap_or_default());
    }

    fn send_vertex(&self, completed: Option<SystemTime>, error: String) {
        // At most two of them: they are sent whatever waits.
        self.send_counted(
            0,
            SolveStatus {
                vertexes: vec![Vertex {
                    digest: self.digest.clone(),
                    name: self.name.clone(),
                    started: Some(self.started),
                    completed,
                    error,
                    ..Vertex::default()
                }],
                ..SolveStatus::default()
            },
        );
    }

    fn send_status(&self, id: &str, counts: (u64, u64), started: SystemTime, completed: bool) {
        let now = SystemTime::now();
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.send(
            id.len(),
            SolveStatus {
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
            },
        );
    }

    fn send_log(&self, stream: i64, data: Bytes) {
        self.send(
            data.len(),
            SolveStatus {
                logs: vec![VertexLog {
                    vertex: self.digest.clone(),
                    stream,
                    data,
                    timestamp: SystemTime::now(),
                }],
                ..SolveStatus::default()
            },
        );
    }

    /// Sends a report with texts of so many bytes, unless too much waits already.
    fn send(&self, bytes: usize, status: SolveStatus) {
        let bytes = REPORT + bytes;
        if self.waiting.load(Ordering::Relaxed) + bytes <= MOST_WAITING {
            self.send_counted(bytes, status);
        }
    }

    fn send_counted(&self, bytes: usize, status: SolveStatus) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        // Nobody watches any more: no reason to stop.
        let _ = self.sender.send((status, bytes));
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, HashMap<StepId, (String, SystemTime)>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for VertexProgress {
    fn begin(&self, step: StepId, _: Option<StepId>, name: &str) {
        let now = SystemTime::now();
        let mut steps = self.steps();
        if steps.len() < MOST_STEPS {
            steps.insert(step, (name.to_owned(), now));
        }
        drop(steps);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reports_that_nobody_takes_are_bounded() {
        let (status, mut shown) = mpsc::channel(1);
        let (vertex, forwarder) = VertexProgress::begin("boot", status);
        for line in 0..20 {
            vertex.output(
                StepId(0),
                LogStream::Stdout,
                Bytes::from(vec![line; 1 << 20]),
            );
        }
        vertex.end(Err("no".into()));
        assert!(vertex.waiting.load(Ordering::Relaxed) <= MOST_WAITING);
        drop(vertex);
        let mut statuses = Vec::new();
        while let Some(status) = shown.recv().await {
            statuses.push(status);
        }
        forwarder.finish().await;
        let logs = statuses.iter().flat_map(|status| &status.logs);
        assert_eq!(logs.count(), 3);
        assert_eq!(statuses[0].vertexes[0].name, "boot");
        assert_eq!(statuses[statuses.len() - 1].vertexes[0].error, "no");
    }
}
