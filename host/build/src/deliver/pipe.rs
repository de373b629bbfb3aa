//! A named pipe as the destination of a result.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::AsyncWrite;
use tokio::net::unix::pipe::{OpenOptions, Sender};
use tokio::time::Sleep;

/// Interval of the attempts to open a pipe that no program reads yet.
const RETRY: Duration = Duration::from_millis(20);

/// A named pipe. The first write opens it, and waits until another program opens it for reading. The wait
/// blocks no thread, so it ends when the build is cancelled.
pub(super) struct Pipe {
    path: PathBuf,
    sender: Option<Sender>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pipe {
    /// Returns the pipe at a path.
    pub(super) fn at(path: PathBuf) -> Self {
        Self {
            path,
            sender: None,
            pause: None,
        }
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Sender>>> {
        while self.sender.is_none() {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match OpenOptions::new().open_sender(&self.path) {
                Ok(sender) => self.sender = Some(sender),
                // No program reads the pipe.
                Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(RETRY)));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match &mut self.sender {
            Some(sender) => Poll::Ready(Ok(Pin::new(sender))),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Written bytes are in the pipe.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A reader of an empty result waits for the end, too.
        ready!(self.poll_open(context))?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_pipe_waits_for_its_reader() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RWXU).expect("made");
        let mut pipe = Pipe::at(path.clone());
        let mut write = Box::pin(pipe.write_all(b"content"));
        let waited = tokio::time::timeout(3 * RETRY, &mut write).await;
        assert!(waited.is_err(), "nothing reads it");
        let reader = tokio::task::spawn_blocking(move || std::fs::read(path));
        write.await.expect("written");
        pipe.shutdown().await.expect("ended");
        drop(pipe);
        let read = reader.await.expect("no panic").expect("read");
        assert_eq!(read, b"content");
    }
}
