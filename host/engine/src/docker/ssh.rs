//! Connections to an engine through `ssh`, as the Docker CLI opens them: `docker system dial-stdio`
//! runs on the engine's machine and forwards its input and output to the engine.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::endpoint::Ssh;

/// Maximum size of what `ssh` reports, in bytes.
const COMPLAINT_BYTES: u64 = 4 << 10;

/// Seconds that `ssh` has to connect.
const CONNECT_SECONDS: u32 = 20;

/// Starts `ssh` and returns its input and output. A connection that fails ends without a byte, and
/// with what `ssh` reported.
pub(super) fn connect(to: &Ssh) -> io::Result<SshStream> {
    let mut child = Command::new("ssh")
        .args(arguments(to))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for this program, which still needs the connection then.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("cannot start ssh: {e}")))?;
    let missing = || io::Error::other("ssh has no pipes");
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    Ok(SshStream {
        _child: child,
        stdin: Some(stdin),
        stdout,
        is_silent: true,
        // Read all the time, so that ssh does not block.
        complaint: Complaint::Awaited(Box::pin(async {
            let mut text = Vec::new();
            let mut beginning = stderr.take(COMPLAINT_BYTES);
            let _ = beginning.read_to_end(&mut text).await;
            tokio::spawn(async move {
                let _ = tokio::io::copy(&mut beginning.into_inner(), &mut tokio::io::sink()).await;
            });
            String::from_utf8_lossy(text.trim_ascii()).into_owned()
        })),
    })
}

fn arguments(to: &Ssh) -> Vec<String> {
    // Nothing may be asked: the question would have no terminal.
    let mut arguments = vec![
        "-o".to_owned(),
        format!("ConnectTimeout={CONNECT_SECONDS}"),
        "-o".to_owned(),
        "BatchMode=yes".to_owned(),
        "-T".to_owned(),
    ];
    if let Some(user) = &to.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = to.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--".to_owned(), to.host.clone(), "docker".to_owned()]);
    if let Some(socket) = &to.socket {
        let quoted = socket.replace('\'', r"'\''");
        arguments.push("-H".to_owned());
        arguments.push(format!("'unix://{quoted}'"));
    }
    arguments.extend(["system", "dial-stdio"].map(str::to_owned));
    arguments
}

/// What `ssh` writes to its standard error.
enum Complaint {
    Awaited(Pin<Box<dyn Future<Output = String> + Send>>),
    Known(String),
}

impl Complaint {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&str> {
        if let Self::Awaited(reading) = self {
            *self = Self::Known(ready!(reading.as_mut().poll(cx)));
        }
        match self {
            Self::Known(text) => Poll::Ready(text),
            Self::Awaited(_) => Poll::Pending,
        }
    }
}

/// The input and output of an `ssh` that runs. Dropping it ends `ssh`.
pub(super) struct SshStream {
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    is_silent: bool,
    complaint: Complaint,
}

impl SshStream {
    /// Returns why `ssh` ended.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let text = ready!(self.complaint.poll(cx));
        Poll::Ready(io::Error::other(match text {
            "" => "ssh ended without a message".to_owned(),
            text => format!("ssh: {}", text.strip_prefix("ssh: ").unwrap_or(text)),
        }))
    }
}

impl AsyncRead for SshStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let is_full = buf.remaining() == 0;
        // Its messages are read meanwhile.
        let _ = this.complaint.poll(cx);
        ready!(Pin::new(&mut this.stdout).poll_read(cx, buf))?;
        if buf.filled().len() > before || is_full {
            this.is_silent = false;
            return Poll::Ready(Ok(()));
        }
        match this.is_silent {
            true => this.poll_failure(cx).map(Err),
            false => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(stdin) = &mut this.stdin else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match ready!(Pin::new(stdin).poll_write(cx, buf)) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe && this.is_silent => {
                this.poll_failure(cx).map(Err)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(stdin) = &mut this.stdin {
            ready!(Pin::new(stdin).poll_flush(cx))?;
        }
        // Closing the pipe is the end of the input.
        this.stdin = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_those_of_the_docker_cli() {
        let to = |user: Option<&str>, port, socket: Option<&str>| {
            let ssh = Ssh {
                user: user.map(str::to_owned),
                host: "-h".into(),
                port,
                socket: socket.map(str::to_owned),
            };
            arguments(&ssh)[5..].join(" ")
        };
        assert_eq!(to(None, None, None), "-- -h docker system dial-stdio");
        assert_eq!(
            to(Some("me"), Some(2222), Some("/run/it's.sock")),
            r"-l me -p 2222 -- -h docker -H 'unix:///run/it'\''s.sock' system dial-stdio"
        );
    }
}
