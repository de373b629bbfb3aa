//! The frames of one thread, passed on in batches.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{SendError, Stopped};
use crate::wire::{DATA_OVERHEAD, MAX_DATA};

/// Capacity of a buffer, in bytes: two full DATA frames.
const ROOM: usize = 2 * (MAX_DATA + DATA_OVERHEAD);
/// Maximum time that the first frame of a buffer waits for others, apart from the work on the last
/// one.
const PATIENCE: Duration = Duration::from_millis(1);

/// A message from a thread to the transfer.
pub(super) enum Event {
    Batch(Batch),
    Failed(SendError),
}

/// Whole frames, and the number of things in them.
pub(super) struct Batch {
    pub(super) frames: Bytes,
    pub(super) counts: Counts,
}

/// The number of things in a batch.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) entries: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) unreadable: u64,
}

/// Collects frames.
pub(super) struct Batcher<'a> {
    frames: BytesMut,
    counts: Counts,
    /// Time of the first frame.
    since: Option<Instant>,
    events: &'a mpsc::Sender<Event>,
}

impl<'a> Batcher<'a> {
    pub(super) fn new(events: &'a mpsc::Sender<Event>) -> Self {
        Self {
            frames: BytesMut::new(),
            counts: Counts::default(),
            since: None,
            events,
        }
    }

    /// Returns the buffer to append frames to. After [`Batcher::settle`], it has space for a full
    /// DATA.
    pub(super) fn frames(&mut self) -> &mut BytesMut {
        if self.frames.capacity() == 0 {
            self.frames.reserve(ROOM);
        }
        &mut self.frames
    }

    pub(super) fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Passes the frames on if there is no space for another one, or if the first has waited long
    /// enough. Call it after each frame.
    pub(super) fn settle(&mut self) -> Result<(), Stopped> {
        if ROOM.saturating_sub(self.frames.len()) < MAX_DATA + DATA_OVERHEAD {
            return self.flush();
        }
        match self.since {
            None => self.since = Some(Instant::now()),
            Some(since) if since.elapsed() >= PATIENCE => return self.flush(),
            Some(_) => {}
        }
        Ok(())
    }

    /// Passes all frames on. Waits while too many batches are waiting.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.since = None;
        if self.frames.is_empty() {
            return Ok(());
        }
        let frames = std::mem::take(&mut self.frames).freeze();
        let counts = std::mem::take(&mut self.counts);
        let batch = Batch { frames, counts };
        self.events
            .blocking_send(Event::Batch(batch))
            .map_err(|_| Stopped)
    }
}
