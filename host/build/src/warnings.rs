//! The warnings of a build, collected from its status.

use iechor_builder::boot_progress::StatusSender;
use iechor_buildkit::status::{SolveStatus, VertexWarning};
use iechor_buildkit::{SourceError, source_snippet};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Maximum number of warnings that are kept. The others are only counted.
const MOST: usize = 1000;

/// Statuses that wait to be passed on.
const STATUSES: usize = 1;

/// A tap on the status of a build.
pub struct Tap {
    sender: StatusSender,
    task: JoinHandle<Warnings>,
}

/// The warnings of a build.
#[derive(Debug, Default)]
pub struct Warnings {
    kept: Vec<VertexWarning>,
    count: usize,
}

impl Tap {
    /// Starts to pass statuses on to `display`.
    pub fn on(display: StatusSender) -> Self {
        let (sender, mut receiver) = mpsc::channel::<SolveStatus>(STATUSES);
        let task = tokio::spawn(async move {
            let mut warnings = Warnings::default();
            while let Some(status) = receiver.recv().await {
                warnings.add(&status.warnings);
                // The display may have ended early.
                let _ = display.send(status).await;
            }
            warnings
        });
        Self { sender, task }
    }

    /// Returns the sender for the build.
    pub fn sender(&self) -> &StatusSender {
        &self.sender
    }

    /// Waits until everything is passed on, and returns the warnings.
    pub async fn finish(self) -> Warnings {
        drop(self.sender);
        self.task.await.unwrap_or_default()
    }
}

impl Warnings {
    fn add(&mut self, warnings: &[VertexWarning]) {
        self.count = self.count.saturating_add(warnings.len());
        let room = MOST.saturating_sub(self.kept.len());
        self.kept.extend(warnings.iter().take(room).cloned());
    }

    /// Returns the number of warnings.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the first warnings, for people. They contain foreign text.
    pub fn described(&self) -> impl Iterator<Item = Warning> {
        self.kept.iter().map(Warning::of)
    }

    /// Returns the first warnings as BuildKit reported them.
    pub fn reported(&self) -> &[VertexWarning] {
        &self.kept
    }
}

/// A warning of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Text of one line.
    pub short: String,
    /// Further lines.
    pub detail: Vec<String>,
    /// Address of further information; may be empty.
    pub url: String,
    /// The lines of the source file, with marks.
    pub snippet: Vec<String>,
}

impl Warning {
    fn of(warning: &VertexWarning) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let source = warning.source_info.clone().map(|info| SourceError {
            info,
            ranges: warning.ranges.clone(),
        });
        Self {
            short: text(&warning.short),
            detail: warning.detail.iter().map(|line| text(line)).collect(),
            url: warning.url.clone(),
            snippet: source.as_ref().map(source_snippet).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use iechor_buildkit::status::{Position, Range, SourceInfo};

    use super::*;

    #[test]
    fn warnings_are_described_with_their_lines() {
        let line = Position {
            line: 1,
            character: 0,
        };
        let mut warnings = Warnings::default();
        warnings.add(&[VertexWarning {
            short: "short".into(),
            detail: vec!["a detail".into()],
            url: "https://example.com/rule".into(),
            source_info: Some(SourceInfo {
                filename: "Dockerfile".into(),
                data: "FROM a as b\n".into(),
                ..SourceInfo::default()
            }),
            ranges: vec![Range {
                start: line,
                end: line,
            }],
            ..VertexWarning::default()
        }]);
        let warning = warnings.described().next().expect("a warning");
        assert_eq!(warning.short, "short");
        assert_eq!(warning.detail, ["a detail"]);
        assert_eq!(warning.snippet[0], "Dockerfile:1");
    }

    #[test]
    fn of_very_many_some_are_kept_and_all_counted() {
        let mut warnings = Warnings::default();
        for _ in 0..MOST {
            warnings.add(&[VertexWarning::default(), VertexWarning::default()]);
        }
        assert_eq!(warnings.described().count(), MOST);
        assert_eq!(warnings.count(), 2 * MOST);
    }
}
