//! The interface to `iechor-fsutil`: which side a failed transfer failed on, and the message.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::Stream;
use iechor_fsutil::{Filter, ReceiveError, ReceiveOptions, SendOptions};
use tokio::sync::mpsc;

use crate::error::with_causes;
use crate::session::Failure;

/// Sends the files of a directory that `filter` selects. The error is a message for the daemon.
pub(crate) async fn send(
    directory: &Path,
    filter: Filter,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), String> {
    // The daemon counts and reports the received data.
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

/// Writes received files into a directory, whose other files stay.
pub(crate) async fn receive(
    directory: &Path,
    incoming: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), Failure> {
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
