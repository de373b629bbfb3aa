//! Reports work of this program as a vertex of a build's status.
//!
//! A [`Vertex`] is shown like a step of BuildKit: it begins, counts, writes output and ends. Reports
//! never wait for the display; [`Forwarder::finish`] waits until all of them were passed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use iechor_buildkit::status::{self, SolveStatus, VertexLog, VertexStatus};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Maximum size of the reports that wait to be shown, in bytes. A slow terminal loses output and
/// counts above it, but no beginning and no end of a vertex.
const MOST_WAITING: usize = 4 << 20;

/// Approximate size of a report without its texts, in bytes.
const REPORT: usize = 500;

/// The sender of a command's status.
pub type StatusSender = mpsc::Sender<SolveStatus>;

/// The receiver of a command's status.
pub type StatusReceiver = mpsc::Receiver<SolveStatus>;

/// A standard stream that output is shown of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// A vertex whose work this program does.
pub struct Vertex {
    digest: String,
    name: String,
    started: SystemTime,
    // Reports do not wait; the forwarder does.
    sender: mpsc::UnboundedSender<(SolveStatus, usize)>,
    /// Bytes that wait in the channel.
    waiting: Arc<AtomicUsize>,
}

/// The task that passes the reports of a [`Vertex`] or of a source of [`crate::relay`] on.
pub struct Forwarder(pub(crate) JoinHandle<()>);

impl Forwarder {
    /// Waits until everything was passed on. The vertex or the sender of the source must have been dropped.
    pub async fn finish(self) {
        // The task has nothing that can fail.
        let _ = self.0.await;
    }
}

impl Vertex {
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
            sender,
            waiting,
        };
        vertex.send_vertex(None, String::new());
        (vertex, Forwarder(forwarder))
    }

    /// Ends the vertex. An error is shown with it.
    pub fn end(&self, outcome: Result<(), String>) {
        self.send_vertex(Some(SystemTime::now()), outcome.err().unwrap_or_default());
    }

    /// Reports a piece of work within the vertex.
    pub fn work(&self, id: &str, started: SystemTime, is_completed: bool) {
        self.send_status(id, (0, 0), started, is_completed);
    }

    /// Reports how many bytes of `total` a piece of work has done, where `total` is known.
    pub fn count(&self, id: &str, current: u64, total: Option<u64>) {
        let total = total.unwrap_or(0);
        let is_completed = total > 0 && current >= total;
        self.send_status(id, (current, total), SystemTime::now(), is_completed);
    }

    /// Reports output.
    pub fn output(&self, stream: Stream, data: Bytes) {
        self.send(
            data.len(),
            SolveStatus {
                logs: vec![VertexLog {
                    vertex: self.digest.clone(),
                    stream: match stream {
                        Stream::Output => 1,
                        Stream::Error => 2,
                    },
                    data,
                    timestamp: SystemTime::now(),
                }],
                ..SolveStatus::default()
            },
        );
    }

    fn send_vertex(&self, completed: Option<SystemTime>, error: String) {
        // There are at most two of these: they are sent whatever waits.
        self.send_counted(
            0,
            SolveStatus {
                vertexes: vec![status::Vertex {
                    digest: self.digest.clone(),
                    name: self.name.clone(),
                    started: Some(self.started),
                    completed,
                    error,
                    ..status::Vertex::default()
                }],
                ..SolveStatus::default()
            },
        );
    }

    fn send_status(&self, id: &str, counts: (u64, u64), started: SystemTime, is_completed: bool) {
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
                    completed: is_completed.then_some(now),
                    ..VertexStatus::default()
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
        // A display that is gone is no reason to stop.
        let _ = self.sender.send((status, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reports_that_nobody_takes_are_bounded() {
        let (status, mut shown) = mpsc::channel(1);
        let (vertex, forwarder) = Vertex::begin("boot", status);
        for line in 0..20 {
            vertex.output(Stream::Output, Bytes::from(vec![line; 1 << 20]));
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
