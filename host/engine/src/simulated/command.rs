//! Commands in simulated containers.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::error::EngineError;
use crate::model::{ExecOutput, ExecSpec};
use crate::stderr::{self, Sink};
use crate::stream::{BoxByteStream, ExecConnection};

/// Capacity of the pipe between a command and its caller, in bytes.
const PIPE: usize = 64 * 1024;

type Serve = Box<dyn FnOnce(CommandIo) -> Pin<Box<dyn Future<Output = i64> + Send>> + Send>;

/// What a command in a container does.
pub enum Command {
    /// It reads nothing, writes its output, and ends.
    Exits {
        /// Exit code.
        code: i64,
        /// Output to stdout.
        stdout: Vec<u8>,
        /// Output to stderr.
        stderr: Vec<u8>,
    },
    /// It is a function of the test. The function is dropped when its container ends.
    Serves(Serve),
    /// The engine cannot start it; the engine's message.
    CannotStart(String),
}

/// The command's side of its streams.
pub struct CommandIo {
    /// Reading is stdin, writing is stdout.
    pub stream: BoxByteStream,
    /// Stderr.
    pub stderr: CommandStderr,
}

/// Stderr of a command.
#[derive(Debug)]
pub struct CommandStderr(Sink);

impl CommandStderr {
    /// Writes without waiting for a reader.
    pub fn write(&self, data: impl Into<Bytes>) {
        self.0.push(data.into());
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exits { code, .. } => f.debug_tuple("Exits").field(code).finish(),
            Self::Serves(_) => f.write_str("Serves"),
            Self::CannotStart(words) => f.debug_tuple("CannotStart").field(words).finish(),
        }
    }
}

impl Command {
    /// Returns a command that writes this to stdout and succeeds.
    pub fn prints(stdout: impl Into<Vec<u8>>) -> Self {
        Self::Exits {
            code: 0,
            stdout: stdout.into(),
            stderr: Vec::new(),
        }
    }

    /// Returns a command that writes this to stderr and fails.
    pub fn fails(code: i64, stderr: impl Into<Vec<u8>>) -> Self {
        Self::Exits {
            code,
            stdout: Vec::new(),
            stderr: stderr.into(),
        }
    }

    /// Returns a command that is a function, whose result is the exit code.
    pub fn serves<F, R>(serve: F) -> Self
    where
        F: FnOnce(CommandIo) -> R + Send + 'static,
        R: Future<Output = i64> + Send + 'static,
    {
        Self::Serves(Box::new(|io| Box::pin(serve(io))))
    }

    /// Returns a command whose program is not in the container. The message is runc's.
    pub fn no_such_program(exec: &ExecSpec) -> Self {
        let program = exec.command.first().map_or("", String::as_str);
        Self::CannotStart(format!(
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \
             {program:?}: executable file not found in $PATH: unknown"
        ))
    }

    fn start(self, name: &str, exec: &ExecSpec) -> Result<Serve, EngineError> {
        match self {
            Self::Serves(serve) => Ok(serve),
            Self::CannotStart(reason) => Err(EngineError::CannotStart {
                container: name.to_owned(),
                command: exec.command.first().cloned().unwrap_or_default(),
                is_missing: reason.contains("executable file not found"),
                reason,
            }),
            Self::Exits {
                code,
                stdout,
                stderr,
            } => Ok(Box::new(move |mut io: CommandIo| {
                Box::pin(async move {
                    io.stderr.write(stderr);
                    // A caller that has closed the stream does not read it.
                    let _ = io.stream.write_all(&stdout).await;
                    code
                })
            })),
        }
    }
}

pub(super) async fn run(
    command: Command,
    name: &str,
    exec: &ExecSpec,
    limit: usize,
    life: CancellationToken,
) -> Result<ExecOutput, EngineError> {
    let serve = command.start(name, exec)?;
    let (mut near, far) = tokio::io::duplex(PIPE);
    let (sink, mut errors) = stderr::channel();
    let io = CommandIo {
        stream: Box::new(far),
        stderr: CommandStderr(sink),
    };
    let code = async {
        tokio::select! {
            code = serve(io) => code,
            // Its container ended, as with SIGKILL.
            () = life.cancelled() => 137,
        }
    };
    let mut output = ExecOutput {
        exit_code: 0,
        stdout: Vec::new(),
        stderr: Vec::new(),
        truncated: false,
    };
    let mut truncated = (false, false);
    let stdout = async {
        let _ = near.shutdown().await;
        let mut part = vec![0; 4096];
        while let Ok(n @ 1..) = near.read(&mut part).await {
            truncated.0 |= keep(&mut output.stdout, &part[..n], limit);
        }
    };
    let stderr = async {
        while let Some(part) = errors.recv().await {
            truncated.1 |= keep(&mut output.stderr, &part, limit);
        }
    };
    let (code, (), ()) = tokio::join!(code, stdout, stderr);
    output.exit_code = code;
    output.truncated = truncated.0 || truncated.1;
    Ok(output)
}

/// Keeps a part of the output within the limit. Returns whether some of it was dropped.
fn keep(kept: &mut Vec<u8>, part: &[u8], limit: usize) -> bool {
    let room = limit.saturating_sub(kept.len()).min(part.len());
    kept.extend_from_slice(&part[..room]);
    room < part.len()
}

pub(super) fn dial(
    command: Command,
    name: &str,
    exec: &ExecSpec,
    life: CancellationToken,
) -> Result<ExecConnection, EngineError> {
    let serve = command.start(name, exec)?;
    let (near, far) = tokio::io::duplex(PIPE);
    let (sink, stderr) = stderr::channel();
    let io = CommandIo {
        stream: Box::new(far),
        stderr: CommandStderr(sink),
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = serve(io) => {}
            () = life.cancelled() => {}
        }
    });
    Ok(ExecConnection {
        stream: Box::new(near),
        stderr,
    })
}
