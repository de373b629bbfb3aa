//! Runs credential helpers. They are programs of third parties, and may ask the user in turn.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::error::HelperFault;

/// Maximum size of each of a helper's outputs, in bytes. A cloud's token has a few thousand.
const OUTPUT_BYTES: u64 = 1 << 20;

/// Wall time that a helper has to answer: enough for a user who has to unlock something first.
const ANSWER: Duration = Duration::from_secs(120);

/// Result of a helper that ended by itself.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Asks a helper for the credentials under a key. Ends the helper if it writes too much or takes
/// too long.
///
/// # Errors
///
/// [`HelperFault`], without anything that the helper wrote.
pub(super) async fn ask(program: &Path, key: &str) -> Result<Answer, HelperFault> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| HelperFault::Start {
            program: program.to_owned(),
            reason: error.to_string(),
        })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let asking = async {
        if let Some(mut stdin) = stdin {
            // A helper that needs no key may have ended already.
            let _ = stdin.write_all(key.as_bytes()).await;
        }
        Ok(())
    };
    let conversation = async {
        let ((), stdout, stderr) = tokio::try_join!(asking, bounded(stdout), bounded(stderr))?;
        let status = child.wait().await.map_err(exchange)?;
        Ok(Answer {
            status,
            stdout,
            stderr,
        })
    };
    tokio::time::timeout(ANSWER, conversation)
        .await
        .unwrap_or(Err(HelperFault::TooSlow(ANSWER.as_secs())))
}

fn exchange(error: io::Error) -> HelperFault {
    HelperFault::Exchange(error.to_string())
}

/// Reads an output to its end, but no more than [`OUTPUT_BYTES`].
async fn bounded(output: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, HelperFault> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        output
            .take(OUTPUT_BYTES + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(exchange)?;
    }
    if bytes.len() as u64 > OUTPUT_BYTES {
        return Err(HelperFault::TooLong(OUTPUT_BYTES));
    }
    Ok(bytes)
}
