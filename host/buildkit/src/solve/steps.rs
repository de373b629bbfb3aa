//! The step of a build that failed, recorded from the status.

use std::collections::{BTreeMap, VecDeque};

use crate::error::FailedStep;
use crate::status::SolveStatus;

/// Maximum number of lines of output that are kept for a step, as docker buildx shows them.
const MOST_LINES: usize = 10;

/// Maximum length of a kept line, in bytes. The beginning of a longer line is left out.
const LONGEST_LINE: usize = 4 << 10;

/// Maximum number of running steps whose output is kept. Of further ones, only the name is known.
const MOST_STEPS: usize = 500;

/// The text by which the status marks a cancelled step.
const CANCELLED: &str = "context canceled";

/// The running and the failed steps of a build.
#[derive(Default)]
pub(super) struct Steps {
    running: BTreeMap<String, Output>,
    failed: Vec<FailedStep>,
}

#[derive(Default)]
struct Output {
    lines: VecDeque<Vec<u8>>,
    /// Whether the last line is complete.
    ended: bool,
}

impl Steps {
    pub(super) fn record(&mut self, status: &SolveStatus) {
        for log in &status.logs {
            if let Some(output) = self.output(&log.vertex) {
                output.append(&log.data);
            }
        }
        for vertex in &status.vertexes {
            if vertex.completed.is_none() {
                continue;
            }
            let output = self.running.remove(&vertex.digest).unwrap_or_default();
            let is_known = || self.failed.iter().any(|step| step.digest == vertex.digest);
            if vertex.error.is_empty()
                || vertex.error.ends_with(CANCELLED)
                || self.failed.len() >= MOST_STEPS
                || is_known()
            {
                continue;
            }
            self.failed.push(FailedStep {
                digest: vertex.digest.clone(),
                name: vertex.name.clone(),
                error: vertex.error.clone(),
                log: output.text(),
            });
        }
    }

    fn output(&mut self, digest: &str) -> Option<&mut Output> {
        if !self.running.contains_key(digest) && self.running.len() >= MOST_STEPS {
            return None;
        }
        Some(self.running.entry(digest.to_owned()).or_default())
    }

    /// Returns the step of a digest, if it failed; without a digest, the first step that failed.
    pub(super) fn failed(self, digest: Option<&str>) -> Option<FailedStep> {
        let mut steps = self.failed.into_iter();
        match digest {
            Some(digest) => steps.find(|step| step.digest == digest),
            None => steps.next(),
        }
    }
}

impl Output {
    fn append(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if self.ended || self.lines.is_empty() {
                if self.lines.len() == MOST_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(Vec::new());
            }
            self.ended = piece.ends_with(b"\n");
            if let Some(line) = self.lines.back_mut() {
                line.extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
                let excess = line.len().saturating_sub(LONGEST_LINE);
                line.drain(..excess);
            }
        }
    }

    fn text(self) -> Vec<String> {
        let lines = self.lines.into_iter();
        lines
            .map(|line| {
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                String::from_utf8_lossy(line).into_owned()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;

    use super::*;
    use crate::status::{Vertex, VertexLog};

    fn log(vertex: &str, data: &'static [u8]) -> SolveStatus {
        SolveStatus {
            logs: vec![VertexLog {
                vertex: vertex.into(),
                stream: 1,
                data: Bytes::from_static(data),
                timestamp: SystemTime::UNIX_EPOCH,
            }],
            ..SolveStatus::default()
        }
    }

    fn ended(digest: &str, error: &str) -> SolveStatus {
        SolveStatus {
            vertexes: vec![Vertex {
                digest: digest.into(),
                name: format!("RUN {digest}"),
                completed: Some(SystemTime::UNIX_EPOCH),
                error: error.into(),
                ..Vertex::default()
            }],
            ..SolveStatus::default()
        }
    }

    #[test]
    fn the_failed_step_has_the_end_of_its_output() {
        let mut steps = Steps::default();
        for status in [
            log("a", b"one\ntwo"),
            log("b", b"other\n"),
            log("a", b" and a half\r\nthree\n"),
            ended("b", "process: context canceled"),
            ended("a", "exit code: 1"),
            ended("c", "later"),
        ] {
            steps.record(&status);
        }
        let step = steps.failed(None).unwrap();
        assert_eq!((step.digest.as_str(), step.name.as_str()), ("a", "RUN a"));
        assert_eq!(step.error, "exit code: 1");
        assert_eq!(step.log, ["one", "two and a half", "three"]);
    }

    #[test]
    fn the_step_of_the_error_is_found() {
        let mut steps = Steps::default();
        steps.record(&ended("a", "first"));
        steps.record(&ended("b", "second"));
        assert_eq!(steps.failed(Some("b")).unwrap().error, "second");
    }

    #[test]
    fn output_is_bounded() {
        let mut steps = Steps::default();
        for _ in 0..10_000 {
            steps.record(&log("a", b"line\n"));
            steps.record(&log("b", b"without an end "));
        }
        for step in 0..10_000 {
            steps.record(&log(&format!("x{step}"), b"x"));
        }
        assert_eq!(steps.running.len(), MOST_STEPS);
        steps.record(&ended("a", "no"));
        steps.record(&ended("b", "no"));
        assert_eq!(steps.failed[0].log.len(), MOST_LINES);
        assert_eq!(steps.failed[1].log[0].len(), LONGEST_LINE);
    }
}
