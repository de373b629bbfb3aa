//! Decompression of archives that are compressed with zstd. BuildKit 0.25 does not detect them.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use super::pieces::{self, Piece};

/// Returns the decompressed stream. A thread decompresses it while it is read.
pub(super) fn decompressed(
    input: impl AsyncRead + Send + Unpin + 'static,
) -> impl AsyncRead + Send {
    let input = Pieces::new(pieces::split(input));
    let (sender, output) = pieces::channel();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = decompress(input, &sender) {
            // Without a reader, the error is not needed.
            let _ = sender.blocking_send(Err(error));
        }
    });
    output
}

/// Decompresses all frames of the input. Ends early if nobody reads the output.
fn decompress(mut input: Pieces, output: &mpsc::Sender<Piece>) -> io::Result<()> {
    let mut decoder = FrameDecoder::new();
    while !input.is_at_end()? {
        let mut frame = match StreamingDecoder::new_with_decoder(&mut input, decoder) {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                io::copy(&mut (&mut input).take(length.into()), &mut io::sink())?;
                decoder = FrameDecoder::new();
                continue;
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        loop {
            let mut piece = vec![0; pieces::SIZE];
            let length = frame.read(&mut piece)?;
            if length == 0 {
                break;
            }
            piece.truncate(length);
            if output.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
        }
        decoder = frame.into_frame_decoder();
    }
    Ok(())
}

/// Reads pieces on a thread.
struct Pieces {
    receiver: mpsc::Receiver<Piece>,
    current: Bytes,
}

impl Pieces {
    fn new(receiver: mpsc::Receiver<Piece>) -> Self {
        Self {
            receiver,
            current: Bytes::new(),
        }
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_end()? {
            return Ok(0);
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut child = Command::new("zstd")
            .arg("--quiet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("zstd is installed");
        let mut stdin = child.stdin.take().expect("piped");
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&bytes));
        let output = child.wait_with_output().expect("ended");
        writer.join().expect("no panic").expect("written");
        output.stdout
    }

    async fn read(input: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = Box::pin(decompressed(Cursor::new(input)));
        reader.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    #[tokio::test]
    async fn frames_are_decompressed_one_after_the_other() {
        let text: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let mut input = compressed(&text);
        assert_eq!(read(input.clone()).await.expect("read"), text);
        // A frame to skip, and a second one.
        input.extend([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        input.extend(compressed(b"more"));
        let whole = read(input).await.expect("read");
        assert_eq!(whole, [text.as_slice(), b"more"].concat());
    }

    #[tokio::test]
    async fn a_broken_archive_is_an_error_and_no_short_one() {
        let text: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let input = compressed(&text);
        assert!(read(input[..input.len() / 2].to_vec()).await.is_err());
        let mut garbage = input.clone();
        garbage.extend(b"garbage");
        assert!(read(garbage).await.is_err());
    }
}
