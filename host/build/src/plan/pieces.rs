//! A stream of bytes through a channel: what reads it sees the error with which it ended.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// Size of a piece, in bytes.
pub(super) const SIZE: usize = 64 << 10;

/// Number of pieces that wait in a channel.
const WAITING: usize = 2;

/// A piece of a stream, or the reason why the stream ends early.
pub(super) type Piece = io::Result<Bytes>;

/// Returns a channel for pieces, and the stream that they form.
pub(super) fn channel() -> (mpsc::Sender<Piece>, impl AsyncRead + Send) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        let piece: Piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (sender, StreamReader::new(Box::pin(pieces)))
}

/// Returns the pieces of a stream, which a task reads.
pub(super) fn split(mut input: impl AsyncRead + Send + Unpin + 'static) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            let mut piece = Vec::with_capacity(SIZE);
            let piece = match input.read_buf(&mut piece).await {
                Ok(0) => break,
                Ok(_) => Ok(Bytes::from(piece)),
                Err(error) => Err(error),
            };
            let is_last = piece.is_err();
            if sender.send(piece).await.is_err() || is_last {
                break;
            }
        }
    });
    receiver
}
