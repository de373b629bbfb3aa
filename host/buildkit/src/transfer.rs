//! The interface to `iechor-fsutil`: which side a failed transfer failed on, and the message.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use iechor_fsutil::{Blame, Filter, Kept, Offered, ReceiveOptions, SendOptions};
use iechor_values::causes::chain;
use tokio::sync::mpsc;
use tonic::Status;

/// A failed transfer, with a message.
pub(crate) enum Failure {
    /// A failure on this side: a full disk, or a pipe that was closed.
    Local(String),
    /// The daemon gave up or disconnected; Solve returns the reason.
    Remote(String),
    /// The daemon did what the protocol forbids.
    Violation(String),
}

impl Failure {
    fn new(blame: Blame, error: &(dyn std::error::Error + 'static)) -> Self {
        let words = chain(error);
        match blame {
            Blame::Here => Self::Local(words),
            Blame::Peer => Self::Remote(words),
            Blame::Violation => Self::Violation(words),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Local(words) | Failure::Remote(words) | Failure::Violation(words) => {
                Self::unknown(words)
            }
        }
    }
}

/// Sends the files of a directory that `filter` selects, and calls `offered` when all of them have been
/// offered.
pub(crate) async fn send(
    directory: &Path,
    filter: Filter,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
    offered: impl FnOnce(Offered) + Send + 'static,
) -> Result<(), Failure> {
    // The daemon counts and reports the received data.
    let progress = |_| ();
    iechor_fsutil::send_observed(
        directory,
        filter,
        SendOptions::default(),
        incoming,
        outgoing,
        progress,
        offered,
    )
    .await
    .map(drop)
    .map_err(|error| Failure::new(error.blame(), &error))
}

/// Writes received files into a directory, whose other files stay. Adds them to `kept`.
pub(crate) async fn receive(
    directory: &Path,
    kept: Option<Arc<Kept>>,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
    let options = ReceiveOptions::default();
    iechor_fsutil::receive_and_keep(directory, options, kept, incoming, outgoing)
        .await
        .map(drop)
        .map_err(|error| Failure::new(error.blame(), &error))
}

/// Removes the files of a directory that are not in `kept`. The error is a message.
pub(crate) async fn remove_others(directory: PathBuf, kept: Arc<Kept>) -> Result<(), String> {
    let removed = tokio::task::spawn_blocking(move || kept.remove_others(&directory)).await;
    match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(panic) => Err(panic.to_string()),
    }
}
