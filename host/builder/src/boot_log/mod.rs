//! The log of the container in which BuildKit did not start.
//!
//! The container is removed after a boot that failed, so its log is read before, by the host for every driver. An
//! error shows the lines that say most about the cause; the whole log is kept in the store if it is longer.

mod excerpt;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use iechor_engine::model::LogStream;
use iechor_engine::{Engine, EngineError};

use crate::node::container;
use crate::store::Store;
use excerpt::{GAP, Lines, excerpt};

/// Maximum time to find the container and to read its log.
const LIMIT: Duration = Duration::from_secs(3);

/// Size of the newest part of a log that is read, in bytes.
const BYTES: usize = 4 << 20;

/// The log of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootLog {
    /// Name of the container.
    pub container: String,
    /// The lines of its standard error that say most; [`excerpt::GAP`] stands for others.
    pub stderr: Vec<String>,
    /// The same of its standard output.
    pub stdout: Vec<String>,
    /// The file with the whole log, if there are more lines than these.
    pub file: Option<PathBuf>,
}

/// Shows the streams one after the other: an engine passes them on in pieces, whose order says little.
impl fmt::Display for BootLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = [
            ("standard error", &self.stderr),
            ("standard output", &self.stdout),
        ];
        let mut separator = "";
        for (stream, lines) in streams {
            if !lines.is_empty() {
                let lines = lines.join("\n    ");
                write!(
                    formatter,
                    "{separator}{stream} of container {}:\n    {lines}",
                    self.container
                )?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

/// Reads the log of the container of a node, and keeps it in the store if only a part can be shown. Returns `None` if
/// there is no container, its log is empty, or the engine does not answer in time: the failure of the boot is the one
/// to report.
pub(crate) async fn read(
    engine: &dyn Engine,
    store: &Store,
    builder: &str,
    node: &str,
) -> Option<BootLog> {
    let reading = async {
        let Some(container) = container::of_node(engine, builder, node).await? else {
            return Ok(None);
        };
        let chunks = engine.container_logs(&container.id, None, BYTES).await?;
        Ok::<_, EngineError>(Some((container.name, chunks)))
    };
    let (container, chunks) = tokio::time::timeout(LIMIT, reading).await.ok()?.ok()??;
    let mut lines = Lines::default();
    for chunk in &chunks {
        lines.push(chunk.stream == LogStream::Stderr, &chunk.data);
    }
    let lines = lines.finish();
    let of = |is_stderr: bool| {
        let lines = lines.iter().filter(|line| line.is_stderr == is_stderr);
        excerpt(&lines.map(|line| line.text.as_str()).collect::<Vec<_>>())
    };
    let (stderr, stdout) = (of(true), of(false));
    if stderr.is_empty() && stdout.is_empty() {
        return None;
    }
    let is_cut = [&stderr, &stdout]
        .iter()
        .any(|lines| lines.iter().any(|line| line == GAP));
    let whole = || lines.iter().map(ToString::to_string).collect::<String>();
    // A log that cannot be kept must not hide the failure.
    let file = match is_cut {
        true => store.keep_boot_log(node, whole().as_bytes()),
        false => None,
    };
    Some(BootLog {
        container,
        stderr,
        stdout,
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_shown_apart() {
        let log = |stderr: &[&str], stdout: &[&str]| {
            let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            BootLog {
                container: "c".into(),
                stderr: lines(stderr),
                stdout: lines(stdout),
                file: None,
            }
            .to_string()
        };
        assert_eq!(
            log(&["a", "b"], &[]),
            "standard error of container c:\n    a\n    b"
        );
        assert_eq!(
            log(&["a"], &["b"]),
            "standard error of container c:\n    a\nstandard output of container c:\n    b"
        );
    }
}
