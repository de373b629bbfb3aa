//! The receiver: writes the entries of a sender below a directory.
//!
//! Existing files stay unless an entry has their name. A file is replaced at once, by a rename.
//! Nothing can be written outside of the directory, see [`OrderError`]; no symlink is followed,
//! whether it existed before or was sent.
//!
//! One blocking thread does all work on the file system, in the order of arrival.

mod attributes;
mod disk;
mod kept;
mod order;
mod place;
mod properties;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;

use crate::peer::{self, Blame};
use crate::table::TableFull;
use crate::wire;
use disk::{Disk, Reply};
pub use kept::{Kept, RemoveError};
pub use order::OrderError;

/// Maximum number of packets that wait for the thread.
const WAITING: usize = 16;
/// Maximum number of available packets that are taken at once.
const AT_ONCE: usize = 64;
/// Size at which frames of replies are sent, in bytes.
const FRAMES: usize = 32 * 1024;

/// Options for writing entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// Bounds on the data that is kept in memory.
    pub limits: Limits,
    /// Whether to remove a directory with all its contents if another kind of entry replaces it, as
    /// BuildKit's clients do. Otherwise this is an error unless the directory is empty. Default:
    /// false.
    pub replace_directories: bool,
}

/// Bounds on the data that is kept in memory until the end of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of entries. Default: 2^23.
    pub entries: u32,
    /// Maximum size of all their names together, in bytes. Default: 512 MiB.
    pub names: u32,
    /// Maximum size of the extended attributes of directories and of incomplete files together, in
    /// bytes. Default: 256 MiB.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1 << 23,
            names: 512 << 20,
            attributes: 256 << 20,
        }
    }
}

/// The amount of received data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Number of entries of all kinds.
    pub entries: u64,
    /// Number of files among them whose content was transferred.
    pub files: u64,
    /// Size of the content, in bytes.
    pub bytes: u64,
}

/// A failed transfer. Entries that were complete before stay in place.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The destination cannot be created or opened. The sender was informed.
    #[error("cannot open destination directory `{}`", path.display())]
    Destination {
        /// Path of the destination.
        path: PathBuf,
        /// Reason of the failure.
        source: io::Error,
    },
    /// An entry has an invalid path. The sender was informed.
    #[error("the sender offered an invalid entry")]
    Order(#[from] OrderError),
    /// An entry has a type that cannot be written. The sender was informed.
    #[error("cannot write `{path}`: unknown file type in mode {mode:#o}")]
    UnknownType {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Mode of the entry, see [`crate::mode`].
        mode: u32,
    },
    /// The target of a hard link was not sent before. The sender was informed.
    #[error("`{path}` is a hard link to `{target}`, which was not sent before")]
    UnknownLinkTarget {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Target of the link.
        target: String,
    },
    /// A directory that is not empty has the path of another kind of entry. The sender was
    /// informed.
    #[error("cannot replace directory `{path}` with another kind of entry: it is not empty")]
    DirectoryInTheWay {
        /// Path of the directory, relative to the destination.
        path: String,
    },
    /// A device cannot be created, which usually requires root. The sender was informed.
    #[error("cannot create device `{path}`, which usually requires root")]
    Device {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Reason of the failure.
        source: io::Error,
    },
    /// An entry cannot be written. The sender was informed.
    #[error("cannot {action} `{path}`")]
    Entry {
        /// Operation that failed.
        action: &'static str,
        /// Path of the entry, relative to the destination.
        path: String,
        /// Reason of the failure.
        source: io::Error,
    },
    /// There are too many entries to keep their names. The sender was informed.
    #[error(transparent)]
    TooManyEntries(#[from] TableFull),
    /// There are too many extended attributes to keep them. The sender was informed.
    #[error(
        "cannot add `{path}`: the sender offered more than {limit} bytes of extended attributes"
    )]
    TooManyAttributes {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Maximum size of all attributes that are kept, in bytes.
        limit: usize,
    },
    /// A file has a negative size. The sender was informed.
    #[error("the sender offered `{path}` with the invalid size {size}")]
    InvalidSize {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Size as it was sent.
        size: i64,
    },
    /// The content of a file is longer than its size. The sender was informed.
    #[error("the sender sent more than the {size} bytes of `{path}`")]
    TooLong {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Size that the sender offered, in bytes.
        size: u64,
    },
    /// The content of a file is shorter than its size. The sender was informed.
    #[error("the sender sent only {received} of the {size} bytes of `{path}`")]
    TooShort {
        /// Path of the entry, relative to the destination.
        path: String,
        /// Size that the sender offered, in bytes.
        size: u64,
        /// Size of the received content, in bytes.
        received: u64,
    },
    /// The sender sent content of a file that was not requested or was complete. It was informed.
    #[error("the sender sent content for invalid file id {id}")]
    InvalidContent {
        /// Number of the entry.
        id: u32,
    },
    /// The sender sent a packet that only a receiver sends, of an unknown kind, or at the wrong
    /// time. It was informed.
    #[error("the sender sent an unexpected packet of kind {kind}")]
    UnexpectedPacket {
        /// Kind of the packet on the wire.
        kind: i32,
    },
    /// The sender sent an invalid packet. It was informed.
    #[error("the sender sent a malformed packet")]
    MalformedPacket(#[source] prost::DecodeError),
    /// The sender failed and sent the reason.
    #[error("the sender failed: {text}")]
    Sender {
        /// Text from the sender.
        text: String,
    },
    /// The sender disconnected before the end.
    #[error("the sender closed the transfer before its end")]
    Closed,
    /// The stream from the sender failed.
    #[error("the stream from the sender failed")]
    Stream(#[source] io::Error),
    /// The thread of the transfer panicked, or the runtime is shutting down.
    #[error("the thread of the transfer ended unexpectedly")]
    Thread,
}

impl ReceiveError {
    /// Returns which side caused the failure.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Destination { .. }
            | Self::UnknownType { .. }
            | Self::DirectoryInTheWay { .. }
            | Self::Device { .. }
            | Self::Entry { .. }
            | Self::TooManyEntries(_)
            | Self::TooManyAttributes { .. }
            | Self::Thread => Blame::Here,
            Self::Sender { .. } | Self::Closed | Self::Stream(_) => Blame::Peer,
            Self::Order(_)
            | Self::UnknownLinkTarget { .. }
            | Self::InvalidSize { .. }
            | Self::TooLong { .. }
            | Self::TooShort { .. }
            | Self::InvalidContent { .. }
            | Self::UnexpectedPacket { .. }
            | Self::MalformedPacket(_) => Blame::Violation,
        }
    }

    /// Returns whether the sender has yet to be informed, and listens.
    fn is_news(&self) -> bool {
        self.blame() != Blame::Peer
    }
}

/// Writes the entries of a sender below the directory `destination` until all have arrived. Creates
/// the directory, for the user alone, if it does not exist.
///
/// Every item of `incoming` is one packet from the sender without framing. Every item sent to
/// `outgoing` is one or more whole gRPC frames, see [`wire`].
///
/// All files belong to the current user. Modes, times, symlinks, hard links, devices and pipes are
/// created as they were sent; extended attributes that cannot be set are left out. Modes and times
/// of directories are set at the end. Unless the user is root, only directories get the bits to set
/// the user or group ID.
///
/// Must be called in a Tokio runtime. Dropping the future stops its thread, which removes
/// incomplete files.
///
/// # Errors
///
/// See [`ReceiveError`].
pub async fn receive(
    destination: &Path,
    options: ReceiveOptions,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<Received, ReceiveError> {
    receive_and_keep(destination, options, None, incoming, outgoing).await
}

/// Writes entries like [`receive`], and adds all of them to `kept`.
///
/// # Errors
///
/// See [`ReceiveError`].
pub async fn receive_and_keep(
    destination: &Path,
    options: ReceiveOptions,
    kept: Option<Arc<Kept>>,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<Received, ReceiveError> {
    let mut incoming = incoming.fuse();
    let outcome = transfer(destination, options, kept, &mut incoming, &outgoing).await;
    if let Err(error) = &outcome
        && error.is_news()
    {
        peer::report(error, &mut incoming, &outgoing).await;
    }
    outcome
}

async fn transfer(
    destination: &Path,
    options: ReceiveOptions,
    kept: Option<Arc<Kept>>,
    incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send),
    outgoing: &mpsc::Sender<Bytes>,
) -> Result<Received, ReceiveError> {
    let (packets_in, packets) = mpsc::channel::<Bytes>(WAITING);
    // Requests are not bounded here: a sender that is writing need not read them, and the thread
    // must continue to write. There is at most one for each entry.
    let (replies_in, mut replies) = mpsc::unbounded_channel::<Reply>();
    let path = destination.to_owned();
    let mut thread = tokio::task::spawn_blocking(move || {
        Disk::open(&path, options, kept, replies_in)?.run(packets)
    });
    let mut packets_in = Some(packets_in);
    let mut held: Option<Bytes> = None;
    let mut frames = BytesMut::new();
    let mut taken = Vec::new();
    let mut failure = None;
    let outcome = loop {
        let mut is_over = false;
        tokio::select! {
            outcome = &mut thread => break outcome,
            item = incoming.next(), if held.is_none() && packets_in.is_some() => {
                // Packets are passed on before more are taken from the stream.
                let mut next = Some(item);
                let mut budget = AT_ONCE;
                while let Some(item) = next {
                    match item {
                        Some(Ok(payload)) => {
                            // A closed channel means that the thread has ended, see above.
                            if let Some(packets) = &packets_in
                                && let Err(mpsc::error::TrySendError::Full(payload)) =
                                    packets.try_send(payload)
                            {
                                held = Some(payload);
                            }
                        }
                        Some(Err(error)) => {
                            failure = Some(ReceiveError::Stream(error));
                            is_over = true;
                        }
                        None => is_over = true,
                    }
                    budget -= 1;
                    next = (budget > 0 && held.is_none() && !is_over)
                        .then(|| incoming.next().now_or_never())
                        .flatten();
                }
            }
            Some(permit) = reserve(packets_in.as_ref()), if held.is_some() => {
                if let Some(payload) = held.take() {
                    permit.send(payload);
                }
            }
            _ = replies.recv_many(&mut taken, AT_ONCE),
                if !replies.is_closed() && frames.len() < FRAMES =>
            {
                put_replies(&mut taken, &mut frames);
            }
            permit = outgoing.reserve(), if !frames.is_empty() => match permit {
                Ok(permit) => permit.send(frames.split().freeze()),
                Err(_) => {
                    let text = peer::last_words(incoming);
                    failure = text.map(|text| ReceiveError::Sender { text });
                    is_over = true;
                    frames.clear();
                }
            },
        }
        if is_over {
            // The thread takes the rest, and then sees the end of the packets.
            packets_in = None;
        }
    };
    let outcome = outcome.unwrap_or(Err(ReceiveError::Thread));
    let received = match (outcome, failure) {
        // The thread only knows that the packets ended.
        (Err(ReceiveError::Closed), Some(failure)) => return Err(failure),
        (outcome, _) => outcome?,
    };
    // The sender may close without waiting for our last frames.
    while replies.recv_many(&mut taken, AT_ONCE).await > 0 {
        put_replies(&mut taken, &mut frames);
    }
    if !frames.is_empty() {
        let _ = outgoing.try_send(frames.freeze());
    }
    Ok(received)
}

async fn reserve(packets: Option<&mpsc::Sender<Bytes>>) -> Option<mpsc::Permit<'_, Bytes>> {
    packets?.reserve().await.ok()
}

fn put_replies(replies: &mut Vec<Reply>, frames: &mut BytesMut) {
    for reply in replies.drain(..) {
        match reply {
            Reply::Request(id) => wire::put_request(frames, id),
            Reply::Finish => wire::put_finish(frames),
        }
    }
}
