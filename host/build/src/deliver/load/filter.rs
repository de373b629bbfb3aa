//! An archive as a stream that fails at the first entry that may not be loaded.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};

use super::entries::Entries;
use super::error::ArchiveError;
use super::names::Names;

/// Passes an archive on. Fails at the first entry that may not be loaded, and stores the reason in
/// `refusal`.
pub(crate) fn filter(
    archive: BoxStream<'static, io::Result<Bytes>>,
    asked: Vec<String>,
    refusal: Arc<OnceLock<ArchiveError>>,
) -> BoxStream<'static, io::Result<Bytes>> {
    struct Passing {
        archive: BoxStream<'static, io::Result<Bytes>>,
        entries: Entries,
        ready: VecDeque<Bytes>,
        ended: bool,
    }
    let start = Passing {
        archive,
        entries: Entries::new(Names::new(asked)),
        ready: VecDeque::new(),
        ended: false,
    };
    try_unfold(start, move |mut passing| {
        let refusal = Arc::clone(&refusal);
        async move {
            loop {
                if let Some(data) = passing.ready.pop_front() {
                    return Ok(Some((data, passing)));
                }
                if passing.ended {
                    return Ok(None);
                }
                let done = match passing.archive.next().await {
                    Some(data) => passing.entries.push(data?, &mut passing.ready),
                    None => {
                        passing.ended = true;
                        passing.entries.finish(&mut passing.ready)
                    }
                };
                if let Err(error) = done {
                    let words = io::Error::other(error.to_string());
                    // It is set only once.
                    let _ = refusal.set(error);
                    return Err(words);
                }
            }
        }
    })
    .boxed()
}
