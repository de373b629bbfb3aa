//! Asks credential helpers: programs that others wrote, and that may ask the user in turn.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Most bytes of each of its outputs. A token of a cloud has a few thousand.
const OUTPUT_BYTES: u64 = 1 << 20;

/// Wall time of an answer: enough for a user who has to unlock something first.
const ANSWER: Duration = Duration::from_secs(120);

/// What a helper did.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Asks a helper for what it has under this key. It is ended where it says too much or takes too long.
///
/// # Errors
///
/// Why there is no answer, in words without anything that it said.
pub(crate) async fn ask(program: &Path, key: &str) -> Result<Said, String> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let asking = async {
        if let Some(mut stdin) = stdin {
            // One that has its answer without asking may be gone already.
            let _ = stdin.write_all(key.as_bytes()).await;
        }
        Ok(())
    };
    let conversation = async {
        let ((), stdout, stderr) = tokio::try_join!(asking, bounded(stdout), bounded(stderr))?;
        let status = child.wait().await.map_err(|error| error.to_string())?;
        Ok(Said {
            status,
            stdout,
            stderr,
        })
    };
    tokio::time::timeout(ANSWER, conversation)
        .await
        .unwrap_or_else(|_| Err(format!("it did not answer within {} s", ANSWER.as_secs())))
}

async fn bounded(output: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        let failed = |error: io::Error| error.to_string();
        output
            .take(OUTPUT_BYTES + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(failed)?;
    }
    if bytes.len() as u64 > OUTPUT_BYTES {
        return Err(format!("it says more than {} MiB", OUTPUT_BYTES >> 20));
    }
    Ok(bytes)
}
