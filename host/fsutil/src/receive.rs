//! The receiving end: writes what a sender offers below a directory.
//!
//! Existing content is merged with, never deleted: what arrives replaces what has its name, each
//! file at once by a rename. Nothing can be written elsewhere, see [`OrderError`]; no symlink is
//! followed, neither one that was there nor one that was sent.
//!
//! One blocking thread does all work on the file system, in the order of arrival.

mod disk;
mod order;
mod place;

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;

use crate::table::TableFull;
use crate::{peer, wire};
use disk::{Disk, Reply};
pub use order::OrderError;

/// How many packets wait for the thread.
const WAITING: usize = 16;
/// How many packets that are there already are taken before anything else is done.
const AT_ONCE: usize = 64;
/// How long frames of replies get before they leave, in bytes.
const FRAMES: usize = 32 * 1024;

/// How entries are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// A directory that is in the way of another kind of entry is removed with all that is in
    /// it, as BuildKit's clients do. Otherwise this is an error, unless it is empty. Default:
    /// false.
    pub replace_directories: bool,
}

/// What was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Entries of all kinds.
    pub entries: u64,
    /// Of them, files whose content was transferred.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// A transfer that failed. What had arrived whole before is in place.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The destination cannot be made or opened. The sender was told.
    #[error("cannot open destination directory `{}`", path.display())]
    Destination {
        /// The destination as it was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry has a path that it must not have. The sender was told.
    #[error("the sender offered an invalid entry")]
    Order(#[from] OrderError),
    /// An entry is of no kind that can be written. The sender was told.
    #[error("cannot write `{path}`: mode {mode:#o} is of no known type")]
    UnknownType {
        /// The entry, relative to the destination.
        path: String,
        /// Its mode, see [`crate::mode`].
        mode: u32,
    },
    /// A hard link does not point to a file that was sent before. The sender was told.
    #[error("`{path}` is a hard link to `{target}`, which was not sent before")]
    UnknownLinkTarget {
        /// The entry, relative to the destination.
        path: String,
        /// What it links to.
        target: String,
    },
    /// There is a directory with content where something else is to be. The sender was told.
    #[error("cannot replace directory `{path}` by another kind of entry: it is not empty")]
    DirectoryInTheWay {
        /// The directory, relative to the destination.
        path: String,
    },
    /// A device cannot be made, for which one usually has to be root. The sender was told.
    #[error("cannot make device `{path}`; export without devices, or as root")]
    Device {
        /// The entry, relative to the destination.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// An entry cannot be written. The sender was told.
    #[error("cannot {action} `{path}`")]
    Entry {
        /// What was tried.
        action: &'static str,
        /// The entry, relative to the destination.
        path: String,
        /// Why it did not work.
        source: io::Error,
    },
    /// There are too many entries to keep their names. The sender was told.
    #[error(transparent)]
    TooManyEntries(#[from] TableFull),
    /// The sender sent content of a file that was not requested, or after its end. It was told.
    #[error("the sender sent content for invalid file id {id}")]
    InvalidContent {
        /// The number that it sent.
        id: u32,
    },
    /// The sender sent what only a receiver sends, nothing known, or at the wrong time. It was
    /// told.
    #[error("the sender sent an unexpected packet of kind {kind}")]
    UnexpectedPacket {
        /// The kind as it was on the wire.
        kind: i32,
    },
    /// The sender sent bytes that are no packet. It was told.
    #[error("the sender sent a malformed packet")]
    MalformedPacket(#[source] prost::DecodeError),
    /// The sender failed and said why.
    #[error("the sender failed: {text}")]
    Sender {
        /// What it said.
        text: String,
    },
    /// The sender went away before the end.
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
    /// Whether the sender does not know of it yet, and listens.
    fn is_news(&self) -> bool {
        !matches!(self, Self::Sender { .. } | Self::Closed | Self::Stream(_))
    }
}

/// Writes what a sender offers below the directory `destination`, which is made (for the user
/// alone) if it does not exist, until all has arrived.
///
/// Every item of `incoming` is one packet from the sender, without any framing. Every item sent
/// to `outgoing` is one or more whole gRPC frames, see [`wire`].
///
/// Everything belongs to the current user. Modes, times, symlinks, hard links, devices and pipes
/// are as they were sent; extended attributes as far as they can be set. Modes and times of
/// directories are set at the end.
///
/// Must be called in a Tokio runtime. Dropping the future stops its thread, which removes the
/// files that were not complete.
///
/// # Errors
/// See [`ReceiveError`].
pub async fn receive(
    destination: &Path,
    options: ReceiveOptions,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<Received, ReceiveError> {
    let mut incoming = incoming.fuse();
    let outcome = transfer(destination, options, &mut incoming, &outgoing).await;
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
    incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send),
    outgoing: &mpsc::Sender<Bytes>,
) -> Result<Received, ReceiveError> {
    let (packets_in, packets) = mpsc::channel::<Bytes>(WAITING);
    // Requests are not bounded here: while the sender is busy writing it need not read them, and
    // the thread must go on with what it writes. There is at most one an entry.
    let (replies_in, mut replies) = mpsc::unbounded_channel::<Reply>();
    let path = destination.to_owned();
    let mut thread =
        tokio::task::spawn_blocking(move || Disk::open(&path, options, replies_in)?.run(packets));
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
                // What is taken from the stream is handed on before anything more is taken.
                let mut next = Some(item);
                let mut budget = AT_ONCE;
                while let Some(item) = next {
                    match item {
                        Some(Ok(payload)) => {
                            // A closed channel means that the thread has ended: see above.
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
            // The thread takes what is there, and then sees that nothing comes any more.
            packets_in = None;
        }
    };
    let outcome = outcome.unwrap_or(Err(ReceiveError::Thread));
    let received = match (outcome, failure) {
        // The thread only knows that nothing came any more.
        (Err(ReceiveError::Closed), Some(failure)) => return Err(failure),
        (outcome, _) => outcome?,
    };
    // The sender may close without waiting for the last of our frames.
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
