//! The seam to `iechor-fsutil`: whose failure a failed transfer was, and its words.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use iechor_fsutil::{Filter, ReceiveError, ReceiveOptions, SendOptions};
use tokio::sync::mpsc;

use crate::error::with_causes;
use crate::session::Failure;

/// Sends what `filter` leaves of a directory. The error is in words, for the daemon.
pub(crate) async fn send(
    directory: &Path,
    filter: Filter,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), String> {
    // The daemon counts and reports what it receives.
    let progress = |_| ();
    iechor_fsutil::send(
        directory,
        filter,
        SendOptions::default(),
        incoming,
        outgoing,
        progress,
    )
    .await
    .map(drop)
    .map_err(|error| with_causes(&error))
}

/// Writes a directory beside what is there.
pub(crate) async fn receive(
    directory: &Path,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
    let incoming = Paced {
        stream: incoming,
        ready: 0,
    };
    iechor_fsutil::receive(directory, ReceiveOptions::default(), incoming, outgoing)
        .await
        .map(drop)
        .map_err(|error| {
            let words = with_causes(&error);
            match error {
                ReceiveError::Sender { .. } | ReceiveError::Closed | ReceiveError::Stream(_) => {
                    Failure::Remote(words)
                }
                _ => Failure::Local(words),
            }
        })
}

/// Works around a loss in `iechor_fsutil::receive` (2026-11-24): it takes up to 64 items that are
/// ready at once and drops the one after them. A stream that pauses before that loses nothing.
/// To be removed when that is fixed; the test `many_small_files` tells.
struct Paced<S> {
    stream: S,
    ready: u32,
}

impl<S: Stream + Unpin> Stream for Paced<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        const AT_ONCE: u32 = 32;
        if self.ready == AT_ONCE {
            self.ready = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ready += 1;
        Pin::new(&mut self.stream).poll_next(context)
    }
}
