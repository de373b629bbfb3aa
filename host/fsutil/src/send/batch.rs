//! Frames of one thread, handed over many at a time.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{SendError, Stopped};
use crate::wire::{DATA_OVERHEAD, MAX_DATA};

/// The room in a buffer, in bytes: two full DATA frames.
const ROOM: usize = 2 * (MAX_DATA + DATA_OVERHEAD);
/// How long the first frame of a buffer waits for others at most, but for the work on the last.
const PATIENCE: Duration = Duration::from_millis(1);

/// From a thread to the transfer.
pub(super) enum Event {
    Batch(Batch),
    Failed(SendError),
}

/// Whole frames, and what is in them.
pub(super) struct Batch {
    pub(super) frames: Bytes,
    pub(super) counts: Counts,
}

/// What a batch brings.
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
    /// When the first frame was seen.
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

    /// Where frames are appended. After [`Batcher::settle`] there is room for a full DATA.
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

    /// To be called behind each frame: hands the frames over when there is no room for another,
    /// or the first has waited long enough.
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

    /// Hands over what there is. Waits while the transfer has enough waiting.
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
