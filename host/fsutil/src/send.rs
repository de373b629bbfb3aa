//! The sender: offers a directory and answers requests for the content of its files.
//!
//! One blocking thread walks, up to four read files. Threads exist only while there is work. Each
//! fills a buffer with whole frames and passes it on when it is full, after a short time, or when
//! there is nothing left to do. The buffers go through a short channel, so memory is bounded for
//! all sizes, and everything stops when the future is dropped. For each entry, only its name and
//! eight bytes are kept.

mod batch;
mod reader;

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use prost::Message;
use tokio::sync::mpsc;

use crate::filter::Filter;
use crate::mode;
use crate::name::shown;
use crate::peer::{self, Blame};
use crate::sizes::{Offered, Sizes};
use crate::table::{PathTable, TableFull};
use crate::walk::{self, WalkError, WalkOptions};
use crate::wire::{self, Packet, PacketKind};
use batch::{Batch, Batcher, Event};

/// Maximum number of files that are read at the same time.
const READERS: usize = 4;
/// Maximum number of buffers that wait between the threads and the outgoing channel.
const WAITING: usize = 4;
/// Maximum number of available packets that are taken at once.
const AT_ONCE: usize = 256;

/// Options for sending a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Options for describing its entries.
    pub walk: WalkOptions,
}

/// The progress of a transfer: the data that was passed to the outgoing channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Number of offered entries.
    pub entries: u64,
    /// Number of files whose content was sent completely.
    pub files: u64,
    /// Size of the content, in bytes.
    pub bytes: u64,
    /// Size of the frames, in bytes. BuildKit's clients show it as transferred.
    pub frame_bytes: u64,
    /// Whether this is the last call, because the transfer is complete.
    pub finished: bool,
}

/// The amount of sent data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Number of offered entries.
    pub entries: u64,
    /// Number of files whose content was requested and sent.
    pub files: u64,
    /// Size of the content, in bytes.
    pub bytes: u64,
    /// Number of these files that could not be opened. They arrive empty, as the protocol requires.
    pub unreadable: u64,
}

/// A failed transfer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The directory cannot be walked. The receiver was informed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A file could not be read. The receiver was informed.
    #[error("cannot read `{path}`")]
    Read {
        /// Path of the file, relative to the root.
        path: String,
        /// Reason of the failure.
        source: io::Error,
    },
    /// There are too many entries to keep their names. The receiver was informed.
    #[error(transparent)]
    TooManyEntries(#[from] TableFull),
    /// The receiver requested an entry that is not a file, was not offered, or was requested
    /// before. It was informed.
    #[error("the receiver requested invalid file id {id}")]
    InvalidRequest {
        /// Number of the entry.
        id: u32,
    },
    /// The receiver sent a packet that only a sender sends, or of an unknown kind. It was informed.
    #[error("the receiver sent an unexpected packet of kind {kind}")]
    UnexpectedPacket {
        /// Kind of the packet on the wire.
        kind: i32,
    },
    /// The receiver sent an invalid packet. It was informed.
    #[error("the receiver sent a malformed packet")]
    MalformedPacket(#[source] prost::DecodeError),
    /// The receiver failed and sent the reason.
    #[error("the receiver failed: {text}")]
    Receiver {
        /// Text from the receiver.
        text: String,
    },
    /// The receiver disconnected before the end.
    #[error("the receiver closed the transfer before it had finished")]
    Closed,
    /// The stream from the receiver failed.
    #[error("the stream from the receiver failed")]
    Stream(#[source] io::Error),
    /// A thread of the transfer panicked, or the runtime is shutting down.
    #[error("a thread of the transfer ended unexpectedly")]
    Thread,
}

impl SendError {
    /// Returns which side caused the failure.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Walk(_) | Self::Read { .. } | Self::TooManyEntries(_) | Self::Thread => {
                Blame::Here
            }
            Self::Receiver { .. } | Self::Closed | Self::Stream(_) => Blame::Peer,
            Self::InvalidRequest { .. }
            | Self::UnexpectedPacket { .. }
            | Self::MalformedPacket(_) => Blame::Violation,
        }
    }

    /// Returns whether the receiver has yet to be informed, and listens.
    fn is_news(&self) -> bool {
        self.blame() != Blame::Peer
    }
}

/// Sends the entries of the directory `root` that `filter` selects, until the receiver has
/// finished.
///
/// Every item of `incoming` is one packet from the receiver without framing. Every item sent to
/// `outgoing` is one or more whole gRPC frames, see [`wire`], of at most about 64 KiB together.
/// `progress` is called when frames are sent, and once at the end.
///
/// Must be called in a Tokio runtime. Dropping the future stops its threads.
///
/// # Errors
///
/// See [`SendError`].
pub async fn send(
    root: &Path,
    filter: Filter,
    options: SendOptions,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
    progress: impl FnMut(Progress) + Send,
) -> Result<Sent, SendError> {
    send_observed(root, filter, options, incoming, outgoing, progress, |_| ()).await
}

/// Does the same as [`send`], and calls `offered` when all entries have been offered.
///
/// # Errors
///
/// See [`SendError`].
pub async fn send_observed(
    root: &Path,
    filter: Filter,
    options: SendOptions,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
    mut progress: impl FnMut(Progress) + Send,
    offered: impl FnOnce(Offered) + Send + 'static,
) -> Result<Sent, SendError> {
    let mut incoming = incoming.fuse();
    let walk = Walk {
        filter,
        options: options.walk,
        offered: Box::new(offered),
    };
    let outcome = transfer(root, walk, &mut incoming, &outgoing, &mut progress).await;
    if let Err(error) = &outcome
        && error.is_news()
    {
        peer::report(error, &mut incoming, &outgoing).await;
    }
    outcome
}

async fn transfer(
    root: &Path,
    walk: Walk,
    incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send),
    outgoing: &mpsc::Sender<Bytes>,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Sent, SendError> {
    let path = root.to_owned();
    let opened = tokio::task::spawn_blocking(move || walk::open_root(&path)).await;
    let opened = opened.map_err(|_| SendError::Thread)??;
    let (events_in, mut events) = mpsc::channel(WAITING);
    let shared = Arc::new(Shared {
        root: opened,
        table: Mutex::default(),
        requests: Mutex::default(),
        stop: AtomicBool::new(false),
        events: events_in,
    });
    let transfer = Transfer { shared };
    transfer.start_walk(root, walk);

    let mut state = Progress::default();
    let mut unreadable = 0;
    let mut waiting: Option<Batch> = None;
    loop {
        tokio::select! {
            item = incoming.next() => {
                // Many requests are taken at once, so that the readers wake once.
                let mut next = Some(item);
                let mut requests = Vec::new();
                while let Some(item) = next {
                    match item {
                        Some(Ok(payload)) => match transfer.packet(payload)? {
                            Order::Request(id) => requests.push(id),
                            Order::Finish => {
                                let mut frame = BytesMut::new();
                                wire::put_finish(&mut frame);
                                state.frame_bytes += frame.len() as u64;
                                outgoing.send(frame.freeze()).await
                                    .map_err(|_| SendError::Closed)?;
                                state.finished = true;
                                progress(state);
                                return Ok(Sent {
                                    entries: state.entries,
                                    files: state.files,
                                    bytes: state.bytes,
                                    unreadable,
                                });
                            }
                        },
                        Some(Err(error)) => return Err(SendError::Stream(error)),
                        None => return Err(SendError::Closed),
                    }
                    next = (requests.len() < AT_ONCE)
                        .then(|| incoming.next().now_or_never())
                        .flatten();
                }
                transfer.request(&requests);
            }
            event = events.recv(), if waiting.is_none() => match event {
                Some(Event::Batch(batch)) => waiting = Some(batch),
                Some(Event::Failed(error)) => return Err(error),
                // `shared` has a sender, so the channel cannot be closed.
                None => return Err(SendError::Thread),
            },
            permit = outgoing.reserve(), if waiting.is_some() => {
                let Ok(permit) = permit else { return Err(closed(incoming)) };
                if let Some(batch) = waiting.take() {
                    state.entries += batch.counts.entries;
                    state.files += batch.counts.files;
                    state.bytes += batch.counts.bytes;
                    state.frame_bytes += batch.frames.len() as u64;
                    unreadable += batch.counts.unreadable;
                    permit.send(batch.frames);
                    progress(state);
                }
            }
            () = outgoing.closed() => return Err(closed(incoming)),
        }
    }
}

/// Returns the reason why the receiver does not read any more.
fn closed(incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin)) -> SendError {
    match peer::last_words(incoming) {
        Some(text) => SendError::Receiver { text },
        None => SendError::Closed,
    }
}

/// A walk that is about to start.
struct Walk {
    filter: Filter,
    options: WalkOptions,
    /// Called after the last entry.
    offered: Box<dyn FnOnce(Offered) + Send>,
}

/// The state that the threads of a transfer share.
struct Shared {
    root: OwnedFd,
    table: Mutex<PathTable>,
    requests: Mutex<Requests>,
    stop: AtomicBool,
    events: mpsc::Sender<Event>,
}

/// The files that were requested and not read yet. There is at most one number for each entry, so
/// it needs no bound of its own. With a bound, a receiver that only writes requests would wait
/// forever.
#[derive(Default)]
struct Requests {
    queue: VecDeque<u32>,
    readers: usize,
}

/// The other side is gone, or the future was dropped: the thread ends.
struct Stopped;

/// A request of a packet from the receiver.
enum Order {
    Request(u32),
    Finish,
}

/// A transfer. Dropping it stops the threads.
struct Transfer {
    shared: Arc<Shared>,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        lock(&self.shared.requests).queue.clear();
    }
}

impl Transfer {
    fn packet(&self, payload: Bytes) -> Result<Order, SendError> {
        let packet = Packet::decode(payload).map_err(SendError::MalformedPacket)?;
        match PacketKind::try_from(packet.kind) {
            Ok(PacketKind::Request) => {
                if !lock(&self.shared.table).take_request(packet.id) {
                    return Err(SendError::InvalidRequest { id: packet.id });
                }
                Ok(Order::Request(packet.id))
            }
            Ok(PacketKind::Finish) => Ok(Order::Finish),
            Ok(PacketKind::Error) => Err(SendError::Receiver {
                text: shown(&packet.data),
            }),
            _ => Err(SendError::UnexpectedPacket { kind: packet.kind }),
        }
    }

    /// Queues files, and starts readers if there are too few.
    fn request(&self, ids: &[u32]) {
        let mut requests = lock(&self.shared.requests);
        requests.queue.extend(ids);
        while requests.readers < READERS.min(requests.queue.len()) {
            requests.readers += 1;
            let shared = Arc::clone(&self.shared);
            spawn(&self.shared, move || reader::run(&shared));
        }
    }

    fn start_walk(&self, root: &Path, walk: Walk) {
        let shared = Arc::clone(&self.shared);
        let root = root.to_owned();
        spawn(&self.shared, move || offer(&shared, &root, walk));
    }
}

/// Runs work on a blocking thread. An error becomes an event.
fn spawn(shared: &Arc<Shared>, work: impl FnOnce() -> Result<(), SendError> + Send + 'static) {
    let events = shared.events.clone();
    tokio::task::spawn_blocking(move || {
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(SendError::Thread));
        if let Err(error) = outcome {
            // Without a receiver of events, the error is not needed.
            let _ = events.blocking_send(Event::Failed(error));
        }
    });
}

/// Walks the directory and offers every entry.
fn offer(shared: &Shared, root: &Path, walk: Walk) -> Result<(), SendError> {
    let mut batcher = Batcher::new(&shared.events);
    let mut sizes = Sizes::default();
    let mut failure = None;
    let mut is_stopped = false;
    walk::walk_opened(
        shared.root.as_fd(),
        root,
        &walk.filter,
        walk.options,
        &shared.stop,
        |entry| {
            let requestable = mode::is_requestable(entry.stat.mode);
            // The entry is in the table before the receiver can know it.
            let added = lock(&shared.table).push(entry.parent, entry.name, requestable);
            if let Err(error) = added {
                failure = Some(error);
                return ControlFlow::Break(());
            }
            sizes.add(&entry.stat);
            wire::put_stat(batcher.frames(), &entry.stat);
            batcher.counts().entries += 1;
            if batcher.settle().is_err() {
                is_stopped = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    )?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    if is_stopped || shared.stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    (walk.offered)(sizes.finish());
    wire::put_end_of_stats(batcher.frames());
    // Stopped or not, there is nothing more to do.
    let _ = batcher.flush();
    Ok(())
}

/// Locks a mutex. While a lock is held, nothing can panic and leave a change half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
