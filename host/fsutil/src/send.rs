//! The sending end: offers a directory and answers requests for the content of its files.
//!
//! One blocking thread walks, up to four read files; threads exist only while there is work.
//! Each fills a buffer with whole frames and hands it over when it is full, when a moment has
//! passed, or when there is nothing left to do. What they hand over goes through a short
//! channel, so memory stays bounded whatever the sizes, and everything stops when the future is
//! dropped. Per entry only its name and eight bytes are kept.

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
use crate::name::shown;
use crate::table::{PathTable, TableFull};
use crate::walk::{self, WalkError, WalkOptions};
use crate::wire::{self, Packet, PacketKind};
use crate::{mode, peer};
use batch::{Batch, Batcher, Event};

/// How many files are read at the same time.
const READERS: usize = 4;
/// How many buffers wait between the threads and the outgoing channel.
const WAITING: usize = 4;
/// How many packets that are there already are taken before anything else is done.
const AT_ONCE: usize = 256;

/// How a directory is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// How its entries are described.
    pub walk: WalkOptions,
}

/// How far a transfer has come: what was handed to the outgoing channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries offered.
    pub entries: u64,
    /// Files whose content was sent to its end.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Bytes of frames; what BuildKit's clients show as transferred.
    pub frame_bytes: u64,
    /// All is done; there is no further call.
    pub finished: bool,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Entries offered.
    pub entries: u64,
    /// Files whose content was requested and sent.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Of the files, those that could not be opened. They arrive empty, as the protocol has it.
    pub unreadable: u64,
}

/// A transfer that failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The directory cannot be walked. The receiver was told.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A file failed while it was read. The receiver was told.
    #[error("cannot read `{path}`")]
    Read {
        /// The file, relative to the root.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There are too many entries to keep their names. The receiver was told.
    #[error(transparent)]
    TooManyEntries(#[from] TableFull),
    /// The receiver requested something that is no file, was not offered, or was requested
    /// before. It was told.
    #[error("the receiver requested invalid file id {id}")]
    InvalidRequest {
        /// The number it requested.
        id: u32,
    },
    /// The receiver sent what only a sender sends, or nothing known. It was told.
    #[error("the receiver sent an unexpected packet of kind {kind}")]
    UnexpectedPacket {
        /// The kind as it was on the wire.
        kind: i32,
    },
    /// The receiver sent bytes that are no packet. It was told.
    #[error("the receiver sent a malformed packet")]
    MalformedPacket(#[source] prost::DecodeError),
    /// The receiver failed and said why.
    #[error("the receiver failed: {text}")]
    Receiver {
        /// What it said.
        text: String,
    },
    /// The receiver went away before it had finished.
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
    /// Whether the receiver does not know of it yet, and listens.
    fn is_news(&self) -> bool {
        !matches!(self, Self::Receiver { .. } | Self::Closed | Self::Stream(_))
    }
}

/// Sends what `filter` leaves of the directory `root`, until the receiver has finished.
///
/// Every item of `incoming` is one packet from the receiver, without any framing. Every item
/// sent to `outgoing` is one or more whole gRPC frames, see [`wire`], of at most about 64 KiB
/// together. `progress` is called as frames leave, and once at the end.
///
/// Must be called in a Tokio runtime. Dropping the future stops its threads.
///
/// # Errors
/// See [`SendError`].
pub async fn send(
    root: &Path,
    filter: Filter,
    options: SendOptions,
    incoming: impl Stream<Item = Result<Bytes, io::Error>> + Unpin + Send,
    outgoing: mpsc::Sender<Bytes>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Sent, SendError> {
    let mut incoming = incoming.fuse();
    let outcome = transfer(
        root,
        filter,
        options,
        &mut incoming,
        &outgoing,
        &mut progress,
    )
    .await;
    if let Err(error) = &outcome
        && error.is_news()
    {
        peer::report(error, &mut incoming, &outgoing).await;
    }
    outcome
}

async fn transfer(
    root: &Path,
    filter: Filter,
    options: SendOptions,
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
    transfer.start_walk(root, filter, options.walk);

    let mut state = Progress::default();
    let mut unreadable = 0;
    let mut waiting: Option<Batch> = None;
    loop {
        tokio::select! {
            item = incoming.next() => {
                // Many requests are taken at once, so that the readers are woken once.
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
                // `shared` has a sender: it cannot be closed.
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

/// The receiver takes nothing any more: why?
fn closed(incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin)) -> SendError {
    match peer::last_words(incoming) {
        Some(text) => SendError::Receiver { text },
        None => SendError::Closed,
    }
}

/// What the threads of a transfer share.
struct Shared {
    root: OwnedFd,
    table: Mutex<PathTable>,
    requests: Mutex<Requests>,
    stop: AtomicBool,
    events: mpsc::Sender<Event>,
}

/// The files that were requested and are not read yet. At most one number an entry, so it needs
/// no bound of its own; with one, a receiver that only writes requests would wait for ever.
#[derive(Default)]
struct Requests {
    queue: VecDeque<u32>,
    readers: usize,
}

/// The other end is gone, or the future was dropped: the thread should end.
struct Stopped;

/// What a packet from the receiver asks for.
enum Order {
    Request(u32),
    Finish,
}

/// Stops the threads when it is dropped.
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

    /// Queues files and starts readers for them as far as there are too few.
    fn request(&self, ids: &[u32]) {
        let mut requests = lock(&self.shared.requests);
        requests.queue.extend(ids);
        while requests.readers < READERS.min(requests.queue.len()) {
            requests.readers += 1;
            let shared = Arc::clone(&self.shared);
            spawn(&self.shared, move || reader::run(&shared));
        }
    }

    fn start_walk(&self, root: &Path, filter: Filter, options: WalkOptions) {
        let shared = Arc::clone(&self.shared);
        let root = root.to_owned();
        spawn(&self.shared, move || {
            offer(&shared, &root, &filter, options)
        });
    }
}

/// Runs on a blocking thread; what goes wrong becomes an event.
fn spawn(shared: &Arc<Shared>, work: impl FnOnce() -> Result<(), SendError> + Send + 'static) {
    let events = shared.events.clone();
    tokio::task::spawn_blocking(move || {
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(SendError::Thread));
        if let Err(error) = outcome {
            // If nobody listens any more, nobody needs to know.
            let _ = events.blocking_send(Event::Failed(error));
        }
    });
}

/// Walks and offers every entry.
fn offer(
    shared: &Shared,
    root: &Path,
    filter: &Filter,
    options: WalkOptions,
) -> Result<(), SendError> {
    let mut batcher = Batcher::new(&shared.events);
    let mut failure = None;
    let mut is_stopped = false;
    walk::walk_opened(
        shared.root.as_fd(),
        root,
        filter,
        options,
        &shared.stop,
        |entry| {
            let requestable = mode::is_requestable(entry.stat.mode);
            // In the table before the receiver can know of it.
            let added = lock(&shared.table).push(entry.parent, entry.name, requestable);
            if let Err(error) = added {
                failure = Some(error);
                return ControlFlow::Break(());
            }
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
    wire::put_end_of_stats(batcher.frames());
    // Stopped or not, there is nothing more to do.
    let _ = batcher.flush();
    Ok(())
}

/// No lock is held where something could panic and leave half of a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
