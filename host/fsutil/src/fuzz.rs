//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream;
use prost::Message as _;
use tokio::sync::mpsc;

use crate::filter::Filter;
use crate::ignore::IgnoreFile;
use crate::pattern::PatternMatcher;
use crate::receive::{ReceiveOptions, receive};
use crate::send::{SendOptions, send};
use crate::wire::{self, Packet};

/// Matches a path with the patterns of a `.dockerignore`. The path is the first line.
pub fn patterns(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (path, contents) = data.split_at(end.unwrap_or(0));
    if let Ok(file) = IgnoreFile::parse(contents) {
        let _ = file.excluding(path);
    }
    let Ok(matcher) = PatternMatcher::new(contents.split(|byte| *byte == b'\n')) else {
        return;
    };
    let mut results = vec![false; matcher.patterns().len()];
    let _ = matcher.matches_using_parent_results(path, None, &mut results);
    let mut parent: Option<Vec<bool>> = None;
    for (slash, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let above = parent.as_deref();
        let found = matcher.matches_using_parent_results(&path[..slash], above, &mut results);
        if found.is_err() {
            return;
        }
        parent = Some(results.clone());
    }
    let _ = matcher.matches_using_parent_results(path, parent.as_deref(), &mut results);
}

/// Receives packets of a hostile sender. Nothing outside of the destination may change.
pub fn receiver(data: &[u8]) {
    let scratch = Scratch::new();
    let outside = scratch.0.join("outside");
    let to = scratch.0.join("to");
    let made = fs::create_dir_all(&outside)
        .and_then(|()| fs::create_dir_all(to.join("a")))
        .and_then(|()| fs::write(outside.join("kept"), "kept"))
        .and_then(|()| std::os::unix::fs::symlink("../outside", to.join("link")));
    made.expect("the scratch directory can be written");
    let packets = messages(data);
    run(async {
        let (replies, _kept) = mpsc::channel(1 << 10);
        let incoming = stream::iter(packets.into_iter().map(Ok::<_, io::Error>));
        let _ = receive(&to, ReceiveOptions::default(), incoming, replies).await;
    });
    assert_eq!(names(&scratch.0), ["outside", "to"]);
    assert_eq!(names(&outside), ["kept"]);
    assert_eq!(
        fs::read(outside.join("kept")).expect("it is there"),
        b"kept"
    );
}

/// Sends a directory to a hostile receiver. An excluded file is never sent.
pub fn sender(data: &[u8]) {
    let scratch = Scratch::new();
    let written = fs::create_dir_all(scratch.0.join("dir"))
        .and_then(|()| fs::write(scratch.0.join("dir/file"), "content"))
        .and_then(|()| fs::write(scratch.0.join("secret"), "SECRET"));
    written.expect("the scratch directory can be written");
    let packets = messages(data);
    run(async {
        let (frames, mut sent) = mpsc::channel(1 << 10);
        let incoming = stream::iter(packets.into_iter().map(Ok::<_, io::Error>));
        let filter = Filter {
            exclude: vec![b"secret".to_vec()],
            ..Filter::default()
        };
        let options = SendOptions::default();
        let _ = send(&scratch.0, filter, options, incoming, frames, |_| ()).await;
        while let Ok(mut frames) = sent.try_recv() {
            while let Some(message) = wire::next_message(&mut frames).expect("whole frames") {
                let packet = Packet::decode(message).expect("a packet");
                let has_secret = |data: &[u8]| data.windows(6).any(|part| part == b"SECRET");
                assert!(!has_secret(&packet.data), "{packet:?}");
            }
        }
    });
}

/// Returns the messages in frames: those before the first broken one.
fn messages(data: &[u8]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(data);
    std::iter::from_fn(|| wire::next_message(&mut rest).ok().flatten()).collect()
}

fn run(transfer: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(transfer);
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it can be read");
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("iechor-fuzz-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("temporary directories can be made");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A hostile sender may have made a directory that cannot be read.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn patterns() {
        seeds::run("patterns", 2000, super::patterns);
    }

    #[test]
    fn receiver() {
        seeds::run("receiver", 100, super::receiver);
    }

    #[test]
    fn sender() {
        seeds::run("sender", 100, super::sender);
    }
}
