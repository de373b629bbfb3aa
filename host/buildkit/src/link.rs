//! The HTTP/2 connection: the monitored byte stream, and a tonic service on top of it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use iechor_values::causes::chain;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::body::Body;

use crate::error::Error;

/// Flow control windows, in bytes. They are large because exports come through the session's
/// stream. The connection's window is much larger, so that status that is not read does not block
/// that stream.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// Maximum size of headers, in bytes. Typed errors with whole Dockerfiles come as trailers; hyper's
/// default is 16 KiB.
const HEADER_LIMIT: u32 = 16 << 20;

/// Maximum time until the first data arrives. It has to suffice for an engine that starts a command in
/// a container on a busy machine.
pub(crate) const OPENING_LIMIT: Duration = Duration::from_secs(45);

/// Maximum time without a response after which the daemon, or the network to it, counts as dead. With
/// the time between two questions (see `liveness`), a build ends within five seconds.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(4);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has arrived yet.
    Opening,
    /// The other side has sent its HTTP/2 settings.
    Open,
    /// The stream cannot be used any more, for this reason.
    Lost(Arc<str>),
}

/// The state of the stream.
pub(crate) struct LinkState {
    phase: watch::Sender<Phase>,
    /// How often bytes arrived.
    heard: AtomicU64,
    /// The last time that this process was stopped.
    stop: watch::Sender<Option<Stop>>,
}

/// A time in which this process did not run.
#[derive(Clone, Copy, Debug)]
struct Stop {
    lasted: Duration,
    ended: Instant,
}

impl LinkState {
    fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Opening),
            heard: AtomicU64::new(0),
            stop: watch::Sender::new(None),
        }
    }

    /// Notes that this process was stopped until now.
    fn resume(&self, lasted: Duration) {
        let ended = Instant::now();
        self.stop.send_replace(Some(Stop { lasted, ended }));
    }

    /// Returns how long the last stop of this process lasted, if it ended after `since`.
    pub(crate) fn stopped(&self, since: Instant) -> Option<Duration> {
        let stop = *self.stop.borrow();
        stop.filter(|stop| stop.ended >= since)
            .map(|stop| stop.lasted)
    }

    /// Marks the stream as lost. Keeps the first reason, because later ones are consequences.
    fn lose(&self, reason: impl fmt::Display) {
        self.phase.send_if_modified(|phase| {
            let first = !matches!(phase, Phase::Lost(_));
            if first {
                *phase = Phase::Lost(reason.to_string().into());
            }
            first
        });
    }

    fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Opening;
            if first {
                *phase = Phase::Open;
            }
            first
        });
    }

    /// Waits until the stream is lost.
    pub(crate) async fn lost(&self) -> Error {
        let mut phases = self.phase.subscribe();
        let phase = phases
            .wait_for(|phase| matches!(phase, Phase::Lost(_)))
            .await;
        let reason = match phase.as_deref() {
            Ok(Phase::Lost(reason)) => reason.to_string(),
            // The sender is part of `self`, so this does not happen.
            _ => String::from("the connection was dropped"),
        };
        Error::ConnectionLost { reason }
    }

    /// Waits until nothing has arrived for `limit`, counted from now at the earliest.
    pub(crate) async fn silent(&self, limit: Duration) -> Error {
        let mut quiet = Quiet::begin(self);
        let tick = Quiet::TICK.min(limit / 4);
        while quiet.since(self) < limit {
            tokio::time::sleep(tick).await;
        }
        Error::Silent { limit }
    }

    async fn opened(&self) -> Result<(), Error> {
        let mut phases = self.phase.subscribe();
        let lost = match phases.wait_for(|phase| *phase != Phase::Opening).await {
            Ok(phase) => matches!(*phase, Phase::Lost(_)),
            Err(_) => true,
        };
        if lost { Err(self.lost().await) } else { Ok(()) }
    }
}

/// The time since something arrived. Time in which this process did not run (because it or its machine
/// was stopped or overloaded) does not count: what arrived meanwhile is still to be read.
pub(crate) struct Quiet {
    heard: u64,
    looked: Instant,
    /// The same time on the clock of the wall, which goes on while the machine sleeps.
    looked_at: SystemTime,
    total: Duration,
}

impl Quiet {
    /// Maximum time between two calls of [`since`](Self::since) while the process runs.
    pub(crate) const TICK: Duration = Duration::from_millis(250);

    /// Minimum time between two calls that counts as a stop of this process.
    const STOP: Duration = Duration::from_secs(2);

    pub(crate) fn begin(state: &LinkState) -> Self {
        Self {
            heard: state.heard.load(Ordering::Relaxed),
            looked: Instant::now(),
            looked_at: SystemTime::now(),
            total: Duration::ZERO,
        }
    }

    /// Begins anew: silence until now does not count.
    pub(crate) fn restart(&mut self, state: &LinkState) {
        self.since(state);
        self.total = Duration::ZERO;
    }

    /// Returns the time since something arrived, or since the beginning.
    pub(crate) fn since(&mut self, state: &LinkState) -> Duration {
        let (now, now_at) = (Instant::now(), SystemTime::now());
        let at_wall = now_at.duration_since(self.looked_at).unwrap_or_default();
        let passed = now.duration_since(self.looked).max(at_wall);
        (self.looked, self.looked_at) = (now, now_at);
        let heard = state.heard.load(Ordering::Relaxed);
        if passed >= Self::STOP {
            state.resume(passed);
            self.total = Duration::ZERO;
        } else if heard == self.heard {
            self.total += passed.min(2 * Self::TICK);
        } else {
            self.heard = heard;
            self.total = Duration::ZERO;
        }
        self.total
    }
}

/// The connection as a tonic service. Clones share it. It never reconnects.
#[derive(Clone)]
pub(crate) struct Link {
    sender: http2::SendRequest<Body>,
    pub(crate) state: Arc<LinkState>,
}

impl Link {
    pub(crate) async fn open<S>(stream: S, limit: Duration) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let state = Arc::new(LinkState::new());
        let watched = Watched {
            stream,
            state: Arc::clone(&state),
            preface: Vec::with_capacity(SETTINGS_HEAD),
        };
        // No keep-alive pings: grpc-go answers them with GOAWAY.
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIMIT)
            .handshake(TokioIo::new(watched))
            .await
            .map_err(|error| Error::ConnectionLost {
                reason: chain(&error),
            })?;
        let watcher = Arc::clone(&state);
        // Ends when the last request and the last clone of the sender are gone. It is not tied to
        // the client, because it also sends the cancellation of a build that was dropped.
        tokio::spawn(async move {
            match connection.await {
                Ok(()) => watcher.lose("the connection was closed"),
                Err(error) => watcher.lose(chain(&error)),
            }
        });
        tokio::select! {
            opened = state.opened() => opened?,
            silent = state.silent(limit) => return Err(silent),
        }
        Ok(Self { sender, state })
    }
}

impl tower_service::Service<http::Request<Body>> for Link {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // HTTP/2 queues requests. A lost connection fails the call; here, tonic would drop the
        // cause.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        tracing::debug!("call {}", request.uri().path());
        Box::pin(self.sender.send_request(request))
    }
}

/// Length of the head of an HTTP/2 frame, in bytes.
const SETTINGS_HEAD: usize = 9;

/// Returns whether an HTTP/2 server may send these first bytes. Its first frame is SETTINGS on
/// stream 0, shorter than 64 KiB: `00 ll ll 04 ff 00 00 00 00`.
fn may_begin_http2(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at {
        0 | 5..9 => *byte == 0,
        3 => *byte == 4,
        _ => true,
    })
}

/// Monitors a stream: when bytes arrive, why it ends, and what arrives instead of HTTP/2. An engine
/// reports inside the stream that a command could not be started.
struct Watched<S> {
    stream: S,
    state: Arc<LinkState>,
    /// The first received bytes.
    preface: Vec<u8>,
}

impl<S> Watched<S> {
    fn check_preface(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = SETTINGS_HEAD.saturating_sub(self.preface.len());
        if missing == 0 {
            return Ok(());
        }
        let before = self.preface.len();
        self.preface
            .extend_from_slice(&bytes[..missing.min(bytes.len())]);
        if may_begin_http2(&self.preface) {
            return Ok(());
        }
        // The head of a TLS alert.
        if before == 0 && bytes.starts_with(&[0x15, 0x03]) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the other side uses TLS, but this connection does not: configure its certificates",
            ));
        }
        const SHOWN: usize = 512;
        self.preface.truncate(before);
        self.preface
            .extend_from_slice(&bytes[..bytes.len().min(SHOWN)]);
        let text = String::from_utf8_lossy(&self.preface);
        let text = text.trim();
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the other side does not speak HTTP/2; it sent: {text}"),
        ))
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.state.lose(error);
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let room = buffer.remaining();
        let result = ready!(Pin::new(&mut this.stream).poll_read(context, buffer));
        let result = match result {
            Ok(()) if buffer.filled().len() == before => {
                if room > 0 {
                    this.state.lose("the other side closed the stream");
                }
                return Poll::Ready(Ok(()));
            }
            Ok(()) => this.check_preface(&buffer.filled()[before..]),
            Err(error) => Err(error),
        };
        if result.is_ok() {
            this.state.hear();
        }
        Poll::Ready(this.noted(result))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.noted(result))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.noted(result))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(context));
        Poll::Ready(self.noted(result))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
