//! The session's byte stream within the control connection.
//!
//! `Control.Session` carries slices of another HTTP/2 connection in `BytesMessage`s. Every message
//! costs the daemon three layers of framing, so small writes are combined: one message for each
//! flush, or for each 64 KiB.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::grpc::PREFIX;
use crate::wire::BytesMessage;

/// Maximum size of the data of a message, in bytes.
const MESSAGE: usize = 64 << 10;

/// Space before the data: gRPC prefix, field tag, and a length of up to 64 KiB.
const HEAD: usize = PREFIX + 1 + 3;

/// Maximum number of messages that are queued before a write waits.
pub(crate) const QUEUE: usize = 4;

/// The session's side of the tunnel, as a byte stream.
pub(crate) struct SessionIo<S> {
    incoming: S,
    /// The unread rest of the last message.
    unread: Bytes,
    /// [`HEAD`] free bytes, followed by the written data that was not sent yet.
    unsent: BytesMut,
    outgoing: PollSender<Bytes>,
}

impl<S> SessionIo<S> {
    /// Creates the stream. `incoming` returns message payloads, `outgoing` takes messages with
    /// their gRPC prefix.
    pub(crate) fn new(incoming: S, outgoing: mpsc::Sender<Bytes>) -> Self {
        Self {
            incoming,
            unread: Bytes::new(),
            unsent: BytesMut::new(),
            outgoing: PollSender::new(outgoing),
        }
    }

    fn pending(&self) -> usize {
        self.unsent.len().saturating_sub(HEAD)
    }

    /// Sends the combined writes as one message.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let length = self.pending();
        if length == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(self.outgoing.poll_reserve(context)).map_err(|_| closed())?;
        let mut message = self.unsent.split();
        // The head is written at the end of its space, so that the data does not move.
        let mut head = Vec::with_capacity(HEAD);
        head.put_u8(0);
        let varint = prost::length_delimiter_len(length);
        head.put_u32(u32::try_from(1 + varint + length).unwrap_or(u32::MAX));
        head.put_u8(0x0a);
        prost::encode_length_delimiter(length, &mut head).map_err(io::Error::other)?;
        message.advance(HEAD - head.len());
        message[..head.len()].copy_from_slice(&head);
        self.outgoing
            .send_item(message.freeze())
            .map_err(|_| closed())?;
        Poll::Ready(Ok(()))
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the session's call has ended")
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> AsyncRead for SessionIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(Pin::new(&mut this.incoming).poll_next(context)) {
                Some(Ok(payload)) => {
                    this.unread = BytesMessage::decode(payload)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
                        .data;
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: Unpin> AsyncWrite for SessionIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.pending() >= MESSAGE {
            ready!(this.poll_send(context))?;
        }
        if this.unsent.is_empty() {
            this.unsent.reserve(HEAD + MESSAGE);
            this.unsent.put_bytes(0, HEAD);
        }
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(MESSAGE - this.pending());
            this.unsent.put_slice(&slice[..length]);
            written += length;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The peer may be gone already.
        let _ = ready!(this.poll_send(context));
        this.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::{Messages, Outgoing};
    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn ends() -> (
        SessionIo<impl Stream<Item = io::Result<Bytes>> + Unpin>,
        Messages<Outgoing>,
    ) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let incoming = futures_util::stream::iter([
            BytesMessage {
                data: Bytes::from_static(b"hello "),
            },
            BytesMessage { data: Bytes::new() },
            BytesMessage {
                data: Bytes::from_static(b"there"),
            },
        ])
        .map(|message| Ok(message.encode_to_vec().into()));
        (
            SessionIo::new(incoming, sender),
            Messages::new(Outgoing(receiver)),
        )
    }

    #[tokio::test]
    async fn writes_between_flushes_are_one_message() {
        let (mut io, mut messages) = ends();
        for length in [1, 2, 300, 5000] {
            io.write_all(&vec![7; length]).await.unwrap();
        }
        io.flush().await.unwrap();
        io.flush().await.unwrap();
        io.write_all(b"end").await.unwrap();
        io.shutdown().await.unwrap();
        drop(io);
        let mut lengths = Vec::new();
        while let Some(payload) = messages.next().await {
            lengths.push(BytesMessage::decode(payload.unwrap()).unwrap().data.len());
        }
        assert_eq!(lengths, [5303, 3]);
    }

    #[tokio::test]
    async fn long_writes_are_cut_and_wait_for_room() {
        let (mut io, mut messages) = ends();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let expected = bytes.clone();
        let writer = tokio::spawn(async move {
            io.write_all(&bytes).await.unwrap();
            io.shutdown().await.unwrap();
        });
        tokio::task::yield_now().await;
        assert!(!writer.is_finished(), "nobody reads yet");
        let mut got = Vec::new();
        while let Some(payload) = messages.next().await {
            let data = BytesMessage::decode(payload.unwrap()).unwrap().data;
            assert!(data.len() <= MESSAGE);
            got.extend(data);
        }
        writer.await.unwrap();
        assert!(got == expected);
    }

    #[tokio::test]
    async fn reading_joins_messages_and_ends_with_the_call() {
        let (mut io, messages) = ends();
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello there");
        drop(messages);
        io.write_all(b"x").await.unwrap();
        assert_eq!(
            io.flush().await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
