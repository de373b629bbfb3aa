//! What a build remembers of its status: warnings, and the output of steps that failed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_buildkit::status::SolveStatus;
use iechor_progress::Warnings;
use iechor_progress::vertex::StatusSender;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Maximum number of statuses that wait to be passed on.
const WAITING: usize = 4;

/// Maximum size of the output that is kept of a step, in bytes. It is the end of the output.
const OUTPUT: usize = 32 << 10;

/// Maximum number of steps whose output is kept at the same time. BuildKit runs a few at a time.
const STEPS: usize = 200;

/// Maximum time to wait, at the end of a build, until all statuses are recorded.
const END: Duration = Duration::from_secs(5);

/// The end of the error of a step that was cancelled because another one failed.
const CANCELLED: &str = "context canceled";

/// A task that records statuses and passes them on.
pub(crate) struct Recorder {
    record: Arc<Mutex<Record>>,
    task: JoinHandle<()>,
}

/// A record of the status of a build.
#[derive(Debug, Default)]
pub struct Record {
    /// Warnings, each once.
    pub(super) warnings: Warnings,
    /// Steps that failed, in the order of their failure.
    pub(super) failed: Vec<FailedStep>,
    /// Steps that have not ended, by digest.
    running: BTreeMap<String, VecDeque<u8>>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedStep {
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) error: String,
    /// The end of the output.
    pub(super) output: String,
}

impl Recorder {
    /// Starts to record. Statuses that are sent to the returned sender are passed on to `status`.
    pub(crate) fn start(status: StatusSender) -> (StatusSender, Self) {
        let (sender, mut statuses) = mpsc::channel::<SolveStatus>(WAITING);
        let record = Arc::new(Mutex::new(Record::default()));
        let shared = Arc::clone(&record);
        let task = tokio::spawn(async move {
            while let Some(update) = statuses.recv().await {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .add(&update);
                // A display that is gone is no reason to stop.
                let _ = status.send(update).await;
            }
        });
        (sender, Self { record, task })
    }

    /// Returns the record after all senders were dropped.
    pub(crate) async fn finish(self) -> Record {
        let _ = tokio::time::timeout(END, self.task).await;
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *record)
    }
}

impl Record {
    fn add(&mut self, status: &SolveStatus) {
        // A step may fail in the status that has the last part of its output.
        for log in &status.logs {
            self.output(&log.vertex, &log.data);
        }
        for vertex in &status.vertexes {
            if vertex.completed.is_none() {
                continue;
            }
            let output = self.running.remove(&vertex.digest).unwrap_or_default();
            if vertex.error.is_empty() || vertex.error.ends_with(CANCELLED) {
                continue;
            }
            let is_known = self.failed.iter().any(|step| step.digest == vertex.digest);
            if !is_known && self.failed.len() < STEPS {
                self.failed.push(FailedStep {
                    digest: vertex.digest.clone(),
                    name: vertex.name.clone(),
                    error: vertex.error.clone(),
                    output: text_of(output),
                });
            }
        }
        for warning in &status.warnings {
            self.warnings.add(warning);
        }
    }

    fn output(&mut self, digest: &str, data: &[u8]) {
        if !self.running.contains_key(digest) {
            if self.running.len() >= STEPS {
                return;
            }
            self.running.insert(digest.to_owned(), VecDeque::new());
        }
        if let Some(output) = self.running.get_mut(digest) {
            output.extend(&data[data.len().saturating_sub(OUTPUT)..]);
            let excess = output.len().saturating_sub(OUTPUT);
            output.drain(..excess);
        }
    }
}

/// Returns the text of an output. An incomplete first line of a cut output is left out.
fn text_of(mut output: VecDeque<u8>) -> String {
    if output.len() == OUTPUT
        && let Some(end) = output.iter().position(|byte| *byte == b'\n')
    {
        output.drain(..=end);
    }
    String::from_utf8_lossy(output.make_contiguous()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use iechor_buildkit::status::{Vertex, VertexLog, VertexWarning};

    use super::*;

    fn ended(digest: &str, error: &str) -> SolveStatus {
        let vertex = Vertex {
            digest: digest.into(),
            name: format!("step {digest}"),
            completed: Some(SystemTime::UNIX_EPOCH),
            error: error.into(),
            ..Vertex::default()
        };
        SolveStatus {
            vertexes: vec![vertex],
            ..SolveStatus::default()
        }
    }

    fn wrote(digest: &str, data: impl Into<Bytes>) -> SolveStatus {
        let log = VertexLog {
            vertex: digest.into(),
            stream: 1,
            data: data.into(),
            timestamp: SystemTime::UNIX_EPOCH,
        };
        SolveStatus {
            logs: vec![log],
            ..SolveStatus::default()
        }
    }

    #[tokio::test]
    async fn the_output_of_failed_steps_is_recorded_and_everything_is_passed_on() {
        let (status, mut shown) = mpsc::channel(64);
        let (sender, recorder) = Recorder::start(status);
        let warning = SolveStatus {
            warnings: vec![VertexWarning::default()],
            ..SolveStatus::default()
        };
        let statuses = [
            wrote("a", "one\n"),
            wrote("b", "from b\n"),
            wrote("c", "from c\n"),
            wrote("a", "two\n"),
            ended("b", ""),
            ended("c", "it was cancelled: context canceled"),
            ended("a", "exit code: 1"),
            ended("a", "exit code: 1"),
            warning.clone(),
            warning,
        ];
        let sent = statuses.len();
        for status in statuses {
            sender.send(status).await.expect("recorded");
        }
        drop(sender);
        let record = recorder.finish().await;
        let failed = FailedStep {
            digest: "a".into(),
            name: "step a".into(),
            error: "exit code: 1".into(),
            output: "one\ntwo\n".into(),
        };
        assert_eq!(record.failed, [failed]);
        assert_eq!(record.warnings.count(), 1);
        assert!(record.running.is_empty());
        let mut passed = 0;
        while shown.recv().await.is_some() {
            passed += 1;
        }
        assert_eq!(passed, sent);
    }

    #[test]
    fn the_record_is_bounded() {
        let mut record = Record::default();
        for _ in 0..4 {
            record.add(&wrote("a", vec![b'x'; OUTPUT - 1]));
            record.add(&wrote("a", "\nthe end\n"));
        }
        record.add(&ended("a", "no"));
        assert_eq!(record.failed[0].output, "the end\n");
        for step in 0..2 * STEPS {
            record.add(&wrote(&step.to_string(), "x"));
            record.add(&ended(&format!("failed {step}"), "no"));
        }
        assert_eq!(record.running.len(), STEPS);
        assert_eq!(record.failed.len(), STEPS);
    }
}
