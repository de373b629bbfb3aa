//! Connects code that blocks with a destination that does not.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::Stream;

/// Size of the pieces that are passed on, in bytes.
const PIECE: usize = 256 << 10;

/// Maximum number of pieces that wait.
const WAITING: usize = 4;

/// A destination for code that blocks.
pub(super) struct Writer {
    buffer: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.buffer.len();
        let count = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == PIECE {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.sender.blocking_send(piece);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Runs code that writes to a stream in a thread of its own. The code ends with an error if this future is dropped.
///
/// # Errors
///
/// Returns the error of the stream, or of the code.
pub(super) async fn write<T: Send + 'static>(
    mut stream: Stream,
    code: impl FnOnce(&mut Writer) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (sender, mut pieces) = mpsc::channel(WAITING);
    let code = tokio::task::spawn_blocking(move || {
        let mut writer = Writer {
            buffer: Vec::new(),
            sender,
        };
        let result = code(&mut writer)?;
        writer.flush()?;
        Ok(result)
    });
    let pass = async {
        while let Some(piece) = pieces.recv().await {
            stream.write_all(&piece).await?;
        }
        Ok::<_, io::Error>(())
    };
    let passed = pass.await;
    drop(pieces);
    let result = code
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    passed?;
    let result = result?;
    stream.flush().await?;
    stream.shutdown().await?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn everything_is_written() {
        let (ours, mut theirs) = tokio::io::duplex(1000);
        let content: Vec<u8> = (0..3 * PIECE + 5).map(|n| (n % 251) as u8).collect();
        let sent = content.clone();
        let writing = write(Box::new(ours), move |writer| {
            writer.write_all(&sent)?;
            Ok(7)
        });
        let mut received = Vec::new();
        let (written, read) = tokio::join!(writing, theirs.read_to_end(&mut received));
        assert_eq!(written.expect("written"), 7);
        assert_eq!(read.expect("read"), content.len());
        assert_eq!(received, content);
    }

    #[tokio::test]
    async fn the_error_is_that_of_the_stream_or_of_the_code() {
        let (ours, theirs) = tokio::io::duplex(1000);
        drop(theirs);
        let endless = |writer: &mut Writer| -> io::Result<()> {
            loop {
                writer.write_all(&[0; PIECE])?;
            }
        };
        let error = write(Box::new(ours), endless).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let (ours, _theirs) = tokio::io::duplex(1000);
        let failing = |_: &mut Writer| Err::<(), _>(io::Error::other("no"));
        let error = write(Box::new(ours), failing).await.expect_err("failed");
        assert_eq!(error.to_string(), "no");
    }
}
