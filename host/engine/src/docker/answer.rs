//! Bounds on the size of an engine's answer, and on the time to read it.
//!
//! They are checked where the bytes arrive, below HTTP. So they apply to every request, bollard's as
//! well as this crate's, and to every part of an answer: heads, any number of provisional ones
//! (`1xx`), chunk sizes, trailers and the body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::stream::{Filter, Filtered};
use crate::error::{AnswerLimit, EngineError};

/// Maximum number of bytes until the head of an answer has arrived, with provisional heads (`1xx`).
/// Engines send less than 1 KiB; a part of the body that arrives with the head counts too.
const HEAD_BYTES: u64 = 2 << 20;
/// Maximum size of an answer that only reports success or failure, in bytes. The largest repeats the
/// labels of a volume: 256 KiB, or several times as much if every character is escaped.
const DONE_BYTES: u64 = 2 << 20;
/// Maximum size of an answer about one object, in bytes. Containers take 10 KiB, rarely 100 KiB.
const OBJECT_BYTES: u64 = 4 << 20;
/// Maximum size of a list, in bytes. A container in a list takes 1.5 KiB.
const LIST_BYTES: u64 = 16 << 20;
/// Maximum size of the report about a transfer, in bytes. None of it is kept. An engine that reports
/// about three layers ten times a second takes ten hours for this.
const REPORT_BYTES: u64 = 256 << 20;
/// Maximum number of objects in a list: an object takes more memory than its JSON text.
pub(super) const OBJECTS: usize = 10_000;
/// Maximum wall time of a query and its answer. Engines answer within milliseconds, or within seconds
/// if they are busy.
const QUESTION: Duration = Duration::from_secs(60);
/// Maximum wall time of an answer from its first byte on. Until then, a request may take as long as
/// its work: a container may have hours to stop.
const ANSWER: Duration = Duration::from_secs(60);
/// Maximum number of bytes that are kept of an answer that is an error.
pub(super) const ERROR_BYTES: usize = 64 << 10;

/// The bounds of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    bytes: u64,
    time: Time,
}

/// The time at which an answer must be complete.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// This long after the request.
    OfAll(Duration),
    /// This long after its first byte.
    OfTheAnswer(Duration),
    /// When the transfer that it reports about is done.
    Open,
}

impl Bounds {
    /// Bounds of the acknowledgement of a change.
    pub(super) const DONE: Self = Self {
        bytes: DONE_BYTES,
        time: Time::OfTheAnswer(ANSWER),
    };
    /// Bounds of a query about one object.
    pub(super) const OBJECT: Self = Self {
        bytes: OBJECT_BYTES,
        time: Time::OfAll(QUESTION),
    };
    /// Bounds of a list.
    pub(super) const LIST: Self = Self {
        bytes: LIST_BYTES,
        time: Time::OfAll(QUESTION),
    };
    /// Bounds of a log. It is read as a stream; the newest part is kept, and arrives last.
    pub(super) const LOG: Self = Self {
        bytes: u64::MAX,
        time: Time::OfAll(QUESTION),
    };
    /// Bounds of a transfer, which reports until it is done.
    pub(super) const REPORT: Self = Self {
        bytes: REPORT_BYTES,
        time: Time::Open,
    };
}

/// The request that an answer belongs to, for errors.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) endpoint: String,
    /// Method and path.
    pub(super) request: String,
}

impl Subject {
    pub(super) fn too_large(&self, limit: AnswerLimit) -> EngineError {
        EngineError::AnswerTooLarge {
            endpoint: self.endpoint.clone(),
            request: self.request.clone(),
            limit,
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
pub(super) type Metered<T> = Filtered<T, Meter>;

/// The state of an answer that is being read.
#[derive(Debug)]
pub(super) struct Meter {
    subject: Subject,
    bounds: Bounds,
    read: u64,
    /// Maximum number of bytes at this point.
    most: Arc<AtomicU64>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> Metered<T> {
    /// Starts with the request. Must be called within a runtime.
    pub(super) fn new(io: T, subject: Subject, bounds: Bounds) -> Self {
        let deadline = match bounds.time {
            Time::OfAll(limit) => Some(alarm(limit)),
            Time::OfTheAnswer(_) | Time::Open => None,
        };
        let filter = Meter {
            subject,
            bounds,
            read: 0,
            most: Arc::new(AtomicU64::new(HEAD_BYTES.min(bounds.bytes))),
            deadline,
        };
        Self { io, filter }
    }

    /// Returns a function to call when the head of the answer has arrived.
    pub(super) fn head_is_there(&self) -> impl FnOnce() + Send + use<T> {
        let (most, bytes) = (Arc::clone(&self.filter.most), self.filter.bounds.bytes);
        move || most.store(bytes, Ordering::Relaxed)
    }
}

impl Meter {
    fn limit(&self) -> Duration {
        match self.bounds.time {
            Time::OfAll(limit) | Time::OfTheAnswer(limit) => limit,
            Time::Open => Duration::ZERO,
        }
    }

    /// Counts bytes that were read.
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
            let error = self.subject.too_large(AnswerLimit::Bytes(most));
            return Err(io::Error::other(error));
        }
        Ok(())
    }
}

fn alarm(limit: Duration) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep_until(Instant::now() + limit))
}

impl<T: AsyncRead + Unpin> Filter<T> for Meter {
    fn poll_read(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Before reading, because an engine may always have one more byte.
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            let late = self.subject.too_slow(self.limit());
            return Poll::Ready(Err(io::Error::other(late)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(io).poll_read(cx, buf))?;
        let counted = self.count(buf.filled().len() - before);
        if counted.is_err() {
            buf.set_filled(before);
        }
        Poll::Ready(counted)
    }
}

/// The objects of a list, unless there are more than [`OBJECTS`].
#[derive(Debug)]
pub(super) enum Objects<T> {
    /// All objects.
    All(Vec<T>),
    /// There are more than [`OBJECTS`].
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
        let none = serde_json::from_str::<Objects<u8>>("null")
            .expect("null, which Podman sends for an empty list");
        assert!(matches!(none, Objects::All(found) if found.is_empty()));
        assert!(serde_json::from_str::<Objects<u8>>("[1,").is_err());
    }

    fn subject() -> Subject {
        Subject {
            endpoint: "unix:///x".into(),
            request: "GET /y".into(),
        }
    }

    /// Reads to the end; returns the result, and how many bytes were read.
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
        (result, metered.filter.read)
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
            let EngineError::AnswerTooLarge { request, limit, .. } = cause(&error) else {
                panic!("{error:?}")
            };
            assert_eq!(
                (request.as_str(), limit),
                ("GET /y", &AnswerLimit::Bytes(most))
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
            matches!(
                cause(&error),
                EngineError::AnswerTooLarge {
                    limit: AnswerLimit::Bytes(HEAD_BYTES),
                    ..
                }
            ),
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
            // The work itself has no limit.
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
