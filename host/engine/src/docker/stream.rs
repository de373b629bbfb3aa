//! Byte streams that do something with what is read, and write unchanged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The reading side of a [`Filtered`] stream.
pub(super) trait Filter<T> {
    /// Reads from `io` into `buf`, as [`AsyncRead::poll_read`] does.
    fn poll_read(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;
}

/// A stream that is read through a filter. Writes go to the stream itself.
#[derive(Debug)]
pub(super) struct Filtered<T, F> {
    pub(super) io: T,
    pub(super) filter: F,
}

impl<T, F> Filtered<T, F> {
    /// Returns the stream without its filter.
    pub(super) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: Unpin, F: Filter<T> + Unpin> AsyncRead for Filtered<T, F> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.filter.poll_read(&mut this.io, cx, buf)
    }
}

impl<T: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Filtered<T, F> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// A stream with bytes that were read from it too early, and are read first.
pub(super) type Prefixed<T> = Filtered<T, Prefix>;

/// Bytes that were read too early.
#[derive(Debug)]
pub(super) struct Prefix(Bytes);

impl<T> Prefixed<T> {
    pub(super) fn new(early: Bytes, io: T) -> Self {
        let filter = Prefix(early);
        Self { io, filter }
    }
}

impl<T: AsyncRead + Unpin> Filter<T> for Prefix {
    fn poll_read(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.0.is_empty() && buf.remaining() > 0 {
            let early = self.0.split_to(self.0.len().min(buf.remaining()));
            buf.put_slice(&early);
            return Poll::Ready(Ok(()));
        }
        Pin::new(io).poll_read(cx, buf)
    }
}
