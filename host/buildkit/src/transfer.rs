//! The interface to `iechor-fsutil`: which side a failed transfer failed on, and the message.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use iechor_fsutil::{Filter, Kept, Offered, ReceiveError, ReceiveOptions, SendOptions};
use tokio::sync::mpsc;

use crate::error::with_causes;
use crate::session::Failure;

/// Sends the files of a directory that `filter` selects, and calls `offered` when all of them have been
/// offered. The error is a message for the daemon.
pub(crate) async fn send(
    directory: &Path,
    filter: Filter,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
    offered: impl FnOnce(Offered) + Send + 'static,
) -> Result<(), String> {
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
    .map_err(|error| with_causes(&error))
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

/// Removes the files of a directory that are not in `kept`. The error is a message.
pub(crate) async fn remove_others(directory: PathBuf, kept: Arc<Kept>) -> Result<(), String> {
    let removed = tokio::task::spawn_blocking(move || kept.remove_others(&directory)).await;
    match removed {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(with_causes(&error)),
        Err(panic) => Err(panic.to_string()),
    }
}
