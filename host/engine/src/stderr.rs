//! Stderr of a command: a bounded queue that drops its oldest chunks, so that the command does not
//! block.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// Maximum number of bytes that wait for a reader.
const LIMIT: usize = 256 * 1024;

/// Maximum number of chunks that wait for a reader.
const CHUNKS: usize = 1024;

/// The writing side of the queue. Dropping it ends the reading side after the queued chunks.
#[derive(Debug)]
pub(crate) struct Sink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a queue; returns both sides. Must be called within a runtime.
pub(crate) fn channel() -> (Sink, mpsc::Receiver<Bytes>) {
    let shared = Arc::new(Shared::default());
    // A capacity of 1: chunks wait in the queue, where the oldest can still be dropped.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(forward(shared.clone(), sender));
    (Sink(shared), receiver)
}

async fn forward(shared: Arc<Shared>, sender: mpsc::Sender<Bytes>) {
    loop {
        // Reserve before taking a chunk: a chunk that waits for capacity could not be dropped.
        let Ok(place) = sender.reserve().await else {
            return;
        };
        loop {
            let changed = shared.changed.notified();
            {
                let mut queue = shared.lock();
                if let Some(chunk) = queue.chunks.pop_front() {
                    queue.bytes -= chunk.len();
                    place.send(chunk);
                    break;
                }
                if queue.ended {
                    return;
                }
            }
            tokio::select! {
                () = changed => {}
                () = sender.closed() => return,
            }
        }
    }
}

impl Sink {
    pub(crate) fn push(&self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        {
            let mut queue = self.0.lock();
            queue.bytes += chunk.len();
            // A copy: a slice would keep the whole read buffer in memory.
            let chunk = Bytes::copy_from_slice(&chunk);
            queue.chunks.push_back(chunk);
            while queue.chunks.len() > 1 && (queue.bytes > LIMIT || queue.chunks.len() > CHUNKS) {
                if let Some(oldest) = queue.chunks.pop_front() {
                    queue.bytes -= oldest.len();
                }
            }
        }
        self.0.changed.notify_one();
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drops_the_oldest_and_keeps_the_order() {
        let (sink, mut receiver) = channel();
        for i in 0..(CHUNKS * 2) {
            sink.push(Bytes::from(i.to_string()));
        }
        drop(sink);
        let mut got = Vec::new();
        while let Some(chunk) = receiver.recv().await {
            let text = String::from_utf8(chunk.to_vec()).expect("digits");
            got.push(text.parse::<usize>().expect("a number"));
        }
        assert!(got.is_sorted());
        assert_eq!(got.len(), CHUNKS);
        assert_eq!(got.first(), Some(&CHUNKS));
        assert_eq!(got.last(), Some(&(CHUNKS * 2 - 1)));
    }

    #[tokio::test]
    async fn is_bounded_in_bytes() {
        let (sink, mut receiver) = channel();
        for i in 0..20_u8 {
            sink.push(Bytes::from(vec![i; LIMIT / 4]));
        }
        drop(sink);
        let mut got = Vec::new();
        while let Some(chunk) = receiver.recv().await {
            got.push(chunk[0]);
        }
        assert_eq!(got, [16, 17, 18, 19]);
    }

    #[tokio::test]
    async fn ends_with_the_reader_and_with_the_writer() {
        let (sink, receiver) = channel();
        drop(receiver);
        sink.push(Bytes::from_static(b"nobody"));
        let (sink, mut receiver) = channel();
        let reader = tokio::spawn(async move { receiver.recv().await });
        tokio::task::yield_now().await;
        drop(sink);
        assert_eq!(reader.await.expect("no panic"), None);
    }
}
