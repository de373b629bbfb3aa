//! The framing of stdout and stderr of a command without a terminal.
//!
//! A frame is `[1|2|3, 0, 0, 0, length big endian 32]` and as many bytes: 1 is stdout, 2 stderr, 3 an
//! error of the engine. Writes go to stdin without framing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::stream::{Filter, Filtered};
use crate::stderr::Sink;

const HEADER: usize = 8;
/// Size of the read buffer, in bytes. The engine writes at most 32 KiB at once.
const CAPACITY: usize = 64 * 1024;

/// The origin of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stdout,
    Stderr,
    System,
}

/// Splits a byte stream into the payloads of its frames.
#[derive(Debug)]
pub(super) struct Splitter {
    state: State,
    lenient: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    Payload(Kind, usize),
    /// Output of a terminal, which has no framing.
    Raw,
}

impl Splitter {
    pub(super) fn strict() -> Self {
        Self {
            state: State::Header,
            lenient: false,
        }
    }

    /// Treats a stream that does not begin with a header as one without framing: engines before
    /// API 1.42 do not report which it is.
    pub(super) fn lenient() -> Self {
        Self {
            state: State::Header,
            lenient: true,
        }
    }

    /// Returns the next piece of a payload, as much of it as `buffer` has.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> io::Result<Option<(Kind, Bytes)>> {
        loop {
            match self.state {
                State::Raw if buffer.is_empty() => return Ok(None),
                State::Raw => return Ok(Some((Kind::Stdout, buffer.split().freeze()))),
                State::Payload(_, 0) => self.state = State::Header,
                State::Payload(..) if buffer.is_empty() => return Ok(None),
                State::Payload(kind, left) => {
                    let piece = buffer.split_to(left.min(buffer.len())).freeze();
                    self.state = State::Payload(kind, left - piece.len());
                    return Ok(Some((kind, piece)));
                }
                State::Header => {
                    let Some(header) = buffer.first_chunk::<HEADER>() else {
                        return Ok(None);
                    };
                    let [kind, 0, 0, 0, a, b, c, d] = *header else {
                        self.unframed()?;
                        continue;
                    };
                    let kind = match kind {
                        // 0 is stdin, which an engine may use for output by mistake.
                        0 | 1 => Kind::Stdout,
                        2 => Kind::Stderr,
                        3 => Kind::System,
                        _ => {
                            self.unframed()?;
                            continue;
                        }
                    };
                    let length = u32::from_be_bytes([a, b, c, d]) as usize;
                    buffer.advance(HEADER);
                    self.lenient = false;
                    self.state = State::Payload(kind, length);
                }
            }
        }
    }

    fn unframed(&mut self) -> io::Result<()> {
        if !self.lenient {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the engine's stream lost its framing",
            ));
        }
        self.state = State::Raw;
        Ok(())
    }

    /// Returns the rest at the end of the stream.
    pub(super) fn finish(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        match self.state {
            State::Header if buffer.is_empty() => Ok(None),
            State::Payload(_, 0) if buffer.is_empty() => Ok(None),
            State::Raw => Ok(None),
            State::Header if self.lenient => Ok(Some(buffer.split().freeze())),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the engine's stream ended in the middle of a frame",
            )),
        }
    }

    /// Returns how many bytes of stdout follow before the next header.
    fn stdout_left(&self) -> usize {
        match self.state {
            State::Payload(Kind::Stdout, left) => left,
            _ => 0,
        }
    }

    fn took(&mut self, bytes: usize) {
        if let State::Payload(kind, left) = self.state {
            self.state = State::Payload(kind, left - bytes);
        }
    }
}

/// Stdin and stdout of a command as one stream.
///
/// Stderr advances only while stdout is read.
pub(super) type Demux<T> = Filtered<T, Streams>;

/// The state of the streams that the engine sends.
#[derive(Debug)]
pub(super) struct Streams {
    splitter: Splitter,
    buffer: BytesMut,
    /// Bytes of stdout that are not read yet.
    current: Bytes,
    /// `None` at the end.
    stderr: Option<Sink>,
}

impl<T: AsyncRead + Unpin> Demux<T> {
    pub(super) fn new(io: T, stderr: Sink) -> Self {
        let filter = Streams {
            splitter: Splitter::strict(),
            buffer: BytesMut::new(),
            current: Bytes::new(),
            stderr: Some(stderr),
        };
        Self { io, filter }
    }

    /// Waits for the first bytes of stdout, which remain to be read. Empty at the end.
    pub(super) async fn peek(&mut self) -> io::Result<&[u8]> {
        let Self { io, filter } = self;
        std::future::poll_fn(|cx| filter.poll_fill(io, cx)).await?;
        Ok(&filter.current)
    }
}

impl Streams {
    /// Reads until `current` is not empty, or to the end.
    fn poll_fill<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.current.is_empty() && self.stderr.is_some() {
            match self.take_piece() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(e) => {
                    self.stderr = None;
                    return Poll::Ready(Err(e));
                }
            }
            if self.buffer.capacity() < CAPACITY {
                self.buffer.reserve(CAPACITY - self.buffer.len());
            }
            let read = ready!(tokio_util::io::poll_read_buf(
                Pin::new(&mut *io),
                cx,
                &mut self.buffer
            ))?;
            if read == 0 {
                self.stderr = None;
                self.splitter.finish(&mut self.buffer)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next piece out of the buffer. Returns `false` if there is none.
    fn take_piece(&mut self) -> io::Result<bool> {
        match self.splitter.next(&mut self.buffer)? {
            None => return Ok(false),
            Some((Kind::Stdout, piece)) => self.current = piece,
            Some((Kind::Stderr, piece)) => {
                if let Some(stderr) = &self.stderr {
                    stderr.push(piece);
                }
            }
            Some((Kind::System, piece)) => {
                return Err(io::Error::other(format!(
                    "the engine ended the stream: {}",
                    String::from_utf8_lossy(&piece).trim()
                )));
            }
        }
        Ok(true)
    }
}

impl<T: AsyncRead + Unpin> Filter<T> for Streams {
    fn poll_read(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // In the middle of a long payload there is no header: read directly into the target.
        let left = self.splitter.stdout_left();
        if self.current.is_empty() && self.buffer.is_empty() && left > 0 && self.stderr.is_some() {
            let place = out.initialize_unfilled_to(left.min(out.remaining()));
            let mut limited = ReadBuf::new(place);
            ready!(Pin::new(io).poll_read(cx, &mut limited))?;
            let read = limited.filled().len();
            if read == 0 {
                self.stderr = None;
                self.splitter.finish(&mut self.buffer)?;
                return Poll::Ready(Ok(()));
            }
            out.advance(read);
            self.splitter.took(read);
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_fill(io, cx))?;
        let piece = self
            .current
            .split_to(self.current.len().min(out.remaining()));
        out.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::stderr;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(payload.len()).expect("small").to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// Every way to cut the stream, and every size of the reader's buffer, gives the same bytes.
    #[tokio::test]
    async fn any_cut_gives_the_same_bytes() {
        let mut wire = frame(1, b"hello ");
        wire.extend(frame(2, b"oops"));
        wire.extend(frame(1, b""));
        wire.extend(frame(1, b"\x00\x01\x02world"));
        wire.extend(frame(2, b"!"));
        for cut in 1..wire.len() {
            for size in [1, 3, 64] {
                let (mut engine, client) = tokio::io::duplex(cut);
                let sent = wire.clone();
                tokio::spawn(async move {
                    for part in sent.chunks(cut) {
                        engine.write_all(part).await.expect("room");
                    }
                });
                let (sink, mut errors) = stderr::channel();
                let mut demux = Demux::new(client, sink);
                let mut out = Vec::new();
                let mut part = vec![0; size];
                loop {
                    let n = demux.read(&mut part).await.expect("well framed");
                    if n == 0 {
                        break;
                    }
                    out.extend_from_slice(&part[..n]);
                }
                assert_eq!(out, b"hello \x00\x01\x02world");
                let mut err = Vec::new();
                while let Some(chunk) = errors.recv().await {
                    err.extend_from_slice(&chunk);
                }
                assert_eq!(err, b"oops!");
            }
        }
    }

    #[tokio::test]
    async fn peek_takes_nothing_away() {
        let wire = frame(1, b"hello");
        let (sink, _errors) = stderr::channel();
        let mut demux = Demux::new(wire.as_slice(), sink);
        assert_eq!(demux.peek().await.expect("framed"), b"hello");
        let mut all = String::new();
        demux.read_to_string(&mut all).await.expect("framed");
        assert_eq!(all, "hello");
        assert_eq!(demux.peek().await.expect("the end"), b"");
    }

    #[tokio::test]
    async fn broken_framing_is_an_error() {
        let cases: [(&[u8], &str); 4] = [
            (b"plain text that is no frame", "lost its framing"),
            (
                b"\x01\x00\x00\x00\x00\x00\x00\x05ab",
                "in the middle of a frame",
            ),
            (b"\x01\x00", "in the middle of a frame"),
            (
                b"\x03\x00\x00\x00\x00\x00\x00\x03bad",
                "ended the stream: bad",
            ),
        ];
        for (wire, expected) in cases {
            let (sink, mut errors) = stderr::channel();
            let mut demux = Demux::new(wire, sink);
            let mut out = Vec::new();
            let error = demux.read_to_end(&mut out).await.expect_err("broken");
            assert!(error.to_string().contains(expected), "{error}");
            // The reader of stderr still comes to its end.
            assert_eq!(errors.recv().await, None);
        }
    }

    #[test]
    fn a_log_may_be_unframed() {
        let mut splitter = Splitter::lenient();
        let mut buffer = BytesMut::from(&b"terminal output\r\n"[..]);
        let piece = splitter.next(&mut buffer).expect("no error");
        assert_eq!(
            piece,
            Some((Kind::Stdout, Bytes::from("terminal output\r\n")))
        );
        let mut splitter = Splitter::lenient();
        let mut buffer = BytesMut::from(&b"short"[..]);
        assert_eq!(splitter.next(&mut buffer).expect("no error"), None);
        let rest = splitter.finish(&mut buffer).expect("no error");
        assert_eq!(rest, Some(Bytes::from("short")));
    }

    #[test]
    fn pieces_share_the_buffer() {
        let mut buffer = BytesMut::from(frame(2, b"shared").as_slice());
        let place = buffer[8..].as_ptr();
        let (_, piece) = Splitter::strict()
            .next(&mut buffer)
            .expect("framed")
            .expect("whole");
        assert_eq!(piece.as_ptr(), place);
    }
}
