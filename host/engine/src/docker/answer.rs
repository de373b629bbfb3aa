//! How much of an engine's answer is read, and for how long.
//!
//! The bounds are kept where the bytes come in, below HTTP: so they hold for every request,
//! bollard's as well as this crate's, and for all that an answer consists of: heads, any number of
//! provisional ones (`1xx`), chunk sizes, trailers and the body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::EngineError;

/// Most bytes until the head of an answer is there, provisional ones (`1xx`) included. Engines send
/// less than 1 KiB; what of the body comes with it counts too, until it is looked at.
const HEAD_BYTES: u64 = 2 << 20;
/// Most bytes of an answer that only says that something was done, or why it was not. The largest
/// repeats the labels of a volume: 256 KiB, several times as long where all of it is escaped.
const DONE_BYTES: u64 = 2 << 20;
/// Most bytes of an answer about one object. Containers take 10 KiB, and rarely ten times that.
const OBJECT_BYTES: u64 = 4 << 20;
/// Most bytes of a list. A container in a list takes 1.5 KiB.
const LIST_BYTES: u64 = 16 << 20;
/// Most bytes of a report about a transfer, none of which is kept. An engine that shows three layers
/// ten times a second writes this much in ten hours.
const REPORT_BYTES: u64 = 256 << 20;
/// Most objects of a list: what is kept of one takes more memory than what was read of it.
pub(super) const OBJECTS: usize = 10_000;
/// Wall time of a question and its answer. Engines answer within milliseconds; one that is busy
/// with something else takes seconds.
const QUESTION: Duration = Duration::from_secs(60);
/// Wall time of an answer from its first byte on. Until then a request may take as long as the work
/// that was asked for: a container may be given hours to stop.
const ANSWER: Duration = Duration::from_secs(60);
/// Most bytes that are kept of an answer that is an error.
pub(super) const ERROR_BYTES: usize = 64 << 10;
/// Most characters of an engine's own words that an error repeats.
pub(super) const WORDS: usize = 4096;

/// The bounds of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    bytes: u64,
    time: Time,
}

/// When an answer has to be at its end.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// So long after the request.
    OfAll(Duration),
    /// So long after its first byte.
    OfTheAnswer(Duration),
    /// Whenever what it reports about is done.
    Open,
}

impl Bounds {
    /// Of a change, which is only acknowledged.
    pub(super) const DONE: Self = Self {
        bytes: DONE_BYTES,
        time: Time::OfTheAnswer(ANSWER),
    };
    /// Of a question about one object.
    pub(super) const OBJECT: Self = Self {
        bytes: OBJECT_BYTES,
        time: Time::OfAll(QUESTION),
    };
    /// Of a list.
    pub(super) const LIST: Self = Self {
        bytes: LIST_BYTES,
        time: Time::OfAll(QUESTION),
    };
    /// Of a log, which is read as a stream: its newest part is kept, and comes last.
    pub(super) const LOG: Self = Self {
        bytes: u64::MAX,
        time: Time::OfAll(QUESTION),
    };
    /// Of a transfer, which reports until it is done.
    pub(super) const REPORT: Self = Self {
        bytes: REPORT_BYTES,
        time: Time::Open,
    };
}

/// Whose answer it is, for errors.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) endpoint: String,
    /// Method and path.
    pub(super) request: String,
}

impl Subject {
    pub(super) fn too_large(&self, most: impl Into<String>) -> EngineError {
        EngineError::AnswerTooLarge {
            endpoint: self.endpoint.clone(),
            request: self.request.clone(),
            most: most.into(),
        }
    }

    fn too_slow(&self, limit: Duration) -> EngineError {
        EngineError::AnswerTooSlow {
            endpoint: self.endpoint.clone(),
            request: self.request.clone(),
            seconds: limit.as_secs(),
        }
    }
}

/// A connection on which one answer is read within its bounds.
#[derive(Debug)]
pub(super) struct Metered<T> {
    io: T,
    subject: Subject,
    bounds: Bounds,
    read: u64,
    /// How many it may be by now.
    most: Arc<AtomicU64>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> Metered<T> {
    /// Begins with the request. Must be called within a runtime.
    pub(super) fn new(io: T, subject: Subject, bounds: Bounds) -> Self {
        let deadline = match bounds.time {
            Time::OfAll(limit) => Some(alarm(limit)),
            Time::OfTheAnswer(_) | Time::Open => None,
        };
        Self {
            io,
            subject,
            bounds,
            read: 0,
            most: Arc::new(AtomicU64::new(HEAD_BYTES.min(bounds.bytes))),
            deadline,
        }
    }

    /// What to call once the head of the answer is there.
    pub(super) fn head_is_there(&self) -> impl FnOnce() + Send + 'static {
        let (most, bytes) = (Arc::clone(&self.most), self.bounds.bytes);
        move || most.store(bytes, Ordering::Relaxed)
    }

    /// The connection without bounds, for what is no answer any more.
    pub(super) fn into_inner(self) -> T {
        self.io
    }

    fn limit(&self) -> Duration {
        match self.bounds.time {
            Time::OfAll(limit) | Time::OfTheAnswer(limit) => limit,
            Time::Open => Duration::ZERO,
        }
    }

    /// Counts what was read.
    fn count(&mut self, read: usize) -> io::Result<()> {
        if let Time::OfTheAnswer(limit) = self.bounds.time
            && self.read == 0
            && read > 0
        {
            self.deadline = Some(alarm(limit));
        }
        self.read = self.read.saturating_add(read as u64);
        let most = self.most.load(Ordering::Relaxed);
        if self.read > most {
            let most = format!("{} MiB", most >> 20);
            return Err(io::Error::other(self.subject.too_large(most)));
        }
        Ok(())
    }
}

fn alarm(limit: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep_until(Instant::now() + limit))
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // First, since an engine may always have one more byte.
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            let late = this.subject.too_slow(this.limit());
            return Poll::Ready(Err(io::Error::other(late)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let counted = this.count(buf.filled().len() - before);
        if counted.is_err() {
            buf.set_filled(before);
        }
        Poll::Ready(counted)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
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

/// The objects of a list, as long as there are not too many: [`OBJECTS`].
#[derive(Debug)]
pub(super) enum Objects<T> {
    /// All of them.
    All(Vec<T>),
    /// There are more.
    TooMany,
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(ObjectsVisitor(std::marker::PhantomData))
    }
}

struct ObjectsVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectsVisitor<T> {
    type Value = Objects<T>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Objects::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while objects.len() < OBJECTS {
            match list.next_element()? {
                Some(object) => objects.push(object),
                None => return Ok(Objects::All(objects)),
            }
        }
        let mut more = false;
        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {
            more = true;
        }
        Ok(if more {
            Objects::TooMany
        } else {
            Objects::All(objects)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_most() {
        let list = |count: usize| {
            let text = format!("[{}]", vec!["1"; count].join(","));
            serde_json::from_str::<Objects<u8>>(&text).expect("a list")
        };
        assert!(matches!(list(0), Objects::All(found) if found.is_empty()));
        assert!(matches!(list(OBJECTS), Objects::All(found) if found.len() == OBJECTS));
        assert!(matches!(list(OBJECTS + 1), Objects::TooMany));
        let none = serde_json::from_str::<Objects<u8>>("null").expect("Podman's way to say none");
        assert!(matches!(none, Objects::All(found) if found.is_empty()));
        assert!(serde_json::from_str::<Objects<u8>>("[1,").is_err());
    }

    fn subject() -> Subject {
        Subject {
            endpoint: "unix:///x".into(),
            request: "GET /y".into(),
        }
    }

    /// What reading to the end comes to, and how many bytes were read.
    async fn read(source: impl AsyncRead + Unpin, bounds: Bounds) -> (io::Result<()>, u64) {
        use tokio::io::AsyncReadExt;
        let mut metered = Metered::new(source, subject(), bounds);
        metered.head_is_there()();
        let mut buffer = vec![0; 64 << 10];
        let result = loop {
            match metered.read(&mut buffer).await {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        (result, metered.read)
    }

    fn cause(error: &io::Error) -> &EngineError {
        super::super::errors::of_engine(error).expect("one of this crate")
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_a_most() {
        for (bounds, most) in [
            (Bounds::DONE, DONE_BYTES),
            (Bounds::OBJECT, OBJECT_BYTES),
            (Bounds::LIST, LIST_BYTES),
            (Bounds::REPORT, REPORT_BYTES),
        ] {
            use tokio::io::AsyncReadExt;
            let (result, _) = read(tokio::io::repeat(0).take(most), bounds).await;
            result.expect("it is not more");
            let (result, count) = read(tokio::io::repeat(0), bounds).await;
            let error = result.expect_err("it has no end");
            let EngineError::AnswerTooLarge {
                request,
                most: said,
                ..
            } = cause(&error)
            else {
                panic!("{error:?}")
            };
            assert_eq!(
                (request.as_str(), said),
                ("GET /y", &format!("{} MiB", most >> 20))
            );
            assert!(count <= most + (64 << 10), "{count}");
        }
    }

    #[tokio::test]
    async fn a_head_has_a_most_too() {
        use tokio::io::AsyncReadExt;
        let mut metered = Metered::new(tokio::io::repeat(0), subject(), Bounds::REPORT);
        let error = metered.read_to_end(&mut Vec::new()).await;
        let error = error.expect_err("it has no end");
        assert!(
            matches!(cause(&error), EngineError::AnswerTooLarge { most, .. } if most == "2 MiB"),
            "{error:?}"
        );
    }

    /// Sends a byte a second for ever.
    fn trickle(first: Duration) -> impl AsyncRead + Unpin {
        use tokio::io::AsyncWriteExt;
        let (mut from, to) = tokio::io::duplex(1);
        tokio::spawn(async move {
            tokio::time::sleep(first).await;
            while from.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        to
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_in_time() {
        let hour = Duration::from_secs(3600);
        for (bounds, first, taken) in [
            (Bounds::OBJECT, hour, QUESTION),
            (Bounds::LIST, Duration::ZERO, QUESTION),
            (Bounds::LOG, Duration::ZERO, QUESTION),
            (Bounds::DONE, Duration::ZERO, ANSWER),
            // The work that was asked for may take as long as it takes.
            (Bounds::DONE, hour, hour + ANSWER),
        ] {
            let start = Instant::now();
            let (result, _) = read(trickle(first), bounds).await;
            let error = result.expect_err("it has no end");
            assert!(
                matches!(
                    cause(&error),
                    EngineError::AnswerTooSlow { seconds: 60, .. }
                ),
                "{error:?}"
            );
            assert!(start.elapsed().abs_diff(taken) < Duration::from_secs(2));
        }
    }
}
