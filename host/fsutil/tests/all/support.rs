//! Trees, snapshots of them, and peers that follow a script.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use iechor_fsutil::wire::{self, Packet, PacketKind, StatRef};
use iechor_fsutil::{
    Filter, ReceiveError, ReceiveOptions, Received, SendError, SendOptions, Sent, receive, send,
};
use prost::Message;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tokio::sync::mpsc;

pub type Incoming = Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>>;

/// Returns the packets in the frames that one side sent.
pub fn packets(frames: mpsc::Receiver<Bytes>) -> Incoming {
    let next = |(mut frames, mut rest): (mpsc::Receiver<Bytes>, Bytes)| async move {
        loop {
            match wire::next_message(&mut rest) {
                Ok(Some(message)) => return Some((Ok(message), (frames, rest))),
                Ok(None) => rest = frames.recv().await?,
                Err(error) => return Some((Err(io::Error::other(error)), (frames, rest))),
            }
        }
    };
    stream::unfold((frames, Bytes::new()), next).fuse().boxed()
}

/// Transfers one directory to another.
pub async fn transfer(
    from: &Path,
    filter: Filter,
    to: &Path,
    options: ReceiveOptions,
) -> (Result<Sent, SendError>, Result<Received, ReceiveError>) {
    let (sender_out, receiver_in) = mpsc::channel(4);
    let (receiver_out, sender_in) = mpsc::channel(4);
    tokio::join!(
        send(
            from,
            filter,
            SendOptions::default(),
            packets(sender_in),
            sender_out,
            |_| {}
        ),
        receive(to, options, packets(receiver_in), receiver_out),
    )
}

/// Runs a test that must not hang.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), test)
            .await
            .expect("the test hangs")
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    outcome
}

/// The compared properties of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub mode: u32,
    pub modified: i128,
    /// Content, or target of a link.
    pub content: Vec<u8>,
    /// First path of the same file.
    pub first: Vec<u8>,
}

/// Returns all files below a directory.
pub fn snapshot(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut seen = BTreeMap::new();
    let mut inodes = HashMap::new();
    for path in paths(root) {
        let real = root.join(path_of(&path));
        let metadata = fs::symlink_metadata(&real).unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&real)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec()
        } else if metadata.is_file() {
            fs::read(&real).unwrap()
        } else {
            Vec::new()
        };
        let first = inodes
            .entry(metadata.ino())
            .or_insert_with(|| path.clone())
            .clone();
        let modified =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        seen.insert(
            path,
            Seen {
                mode: metadata.mode(),
                modified,
                content,
                first,
            },
        );
    }
    seen
}

pub fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// Returns all paths below a directory, in the order of a transfer.
pub fn paths(root: &Path) -> Vec<Vec<u8>> {
    fn visit(root: &Path, below: &Path, found: &mut Vec<Vec<u8>>) {
        let mut names: Vec<_> = fs::read_dir(root.join(below))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().as_bytes().to_vec())
            .collect();
        names.sort();
        for name in names {
            let path = below.join(path_of(&name));
            found.push(path.as_os_str().as_bytes().to_vec());
            if fs::symlink_metadata(root.join(&path)).unwrap().is_dir() {
                visit(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    visit(root, Path::new(""), &mut found);
    found
}

pub fn set_modified(path: &Path, nanoseconds: i64) {
    let time = Timespec {
        tv_sec: nanoseconds.div_euclid(1_000_000_000),
        tv_nsec: nanoseconds.rem_euclid(1_000_000_000),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Writes files and the directories above them.
pub fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

/// The other side of a transfer, played by a test.
pub struct Peer {
    to: Option<mpsc::Sender<Result<Bytes, io::Error>>>,
    from: Incoming,
}

/// Returns a peer, and the arguments for the side under test.
pub fn peer() -> (Peer, Incoming, mpsc::Sender<Bytes>) {
    let (to, mut incoming) = mpsc::channel(64);
    let (outgoing, from) = mpsc::channel(4);
    let incoming = stream::poll_fn(move |context| incoming.poll_recv(context)).boxed();
    (
        Peer {
            to: Some(to),
            from: packets(from),
        },
        incoming,
        outgoing,
    )
}

impl Peer {
    pub async fn raw(&mut self, payload: impl Into<Bytes>) {
        let _ = self.to.as_ref().unwrap().send(Ok(payload.into())).await;
    }

    pub async fn fail(&mut self) {
        let error = io::Error::other("broken pipe, say");
        let _ = self.to.as_ref().unwrap().send(Err(error)).await;
    }

    pub async fn put(&mut self, put: impl FnOnce(&mut BytesMut)) {
        let mut frame = BytesMut::new();
        put(&mut frame);
        let message = wire::next_message(&mut frame.freeze()).unwrap().unwrap();
        self.raw(message).await;
    }

    pub async fn stat(&mut self, path: &str, mode: u32) {
        self.link(path, mode, "").await;
    }

    /// Offers a file with this size.
    pub async fn file(&mut self, path: &str, mode: u32, size: i64) {
        let stat = StatRef {
            path: path.as_bytes(),
            mode,
            size,
            ..StatRef::default()
        };
        self.put(|buffer| wire::put_stat(buffer, &stat)).await;
    }

    pub async fn link(&mut self, path: &str, mode: u32, link_name: &str) {
        let stat = StatRef {
            path: path.as_bytes(),
            mode,
            link_name: link_name.as_bytes(),
            ..StatRef::default()
        };
        self.put(|buffer| wire::put_stat(buffer, &stat)).await;
    }

    pub async fn end(&mut self) {
        self.put(wire::put_end_of_stats).await;
    }

    pub async fn data(&mut self, id: u32, data: &[u8]) {
        self.put(|buffer| wire::put_data(buffer, id, data)).await;
    }

    pub async fn request(&mut self, id: u32) {
        self.put(|buffer| wire::put_request(buffer, id)).await;
    }

    pub async fn finish(&mut self) {
        self.put(wire::put_finish).await;
    }

    pub fn close(&mut self) {
        self.to = None;
    }

    /// Returns the next packet, or `None` if the side under test has closed.
    pub async fn next(&mut self) -> Option<(PacketKind, Packet)> {
        let payload = self.from.next().await?.unwrap();
        let packet = Packet::decode(payload).unwrap();
        Some((PacketKind::try_from(packet.kind).unwrap(), packet))
    }

    /// Returns the next packet, which must be of this kind.
    pub async fn expect(&mut self, kind: PacketKind) -> Packet {
        let (found, packet) = self.next().await.expect("no further packet");
        assert_eq!(found, kind, "{packet:?}");
        packet
    }

    /// Returns the text of the next ERR. Skips other packets.
    pub async fn error(&mut self) -> Option<String> {
        while let Some((kind, packet)) = self.next().await {
            if kind == PacketKind::Error {
                return Some(String::from_utf8(packet.data.to_vec()).unwrap());
            }
        }
        None
    }

    /// Returns all paths until the end of the entries.
    pub async fn entries(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        while let Some(stat) = self.expect(PacketKind::Stat).await.stat {
            paths.push(String::from_utf8_lossy(&stat.path).into_owned());
        }
        paths
    }

    /// Returns the content of a requested file. No other packets may arrive meanwhile.
    pub async fn content(&mut self, id: u32) -> Vec<u8> {
        let mut content = Vec::new();
        loop {
            let packet = self.expect(PacketKind::Data).await;
            assert_eq!(packet.id, id);
            if packet.data.is_empty() {
                return content;
            }
            content.extend_from_slice(&packet.data);
        }
    }
}

/// Waits until a condition holds that a thread has yet to establish.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to: {what}");
}

/// Returns whether this process has a file open at or below a path.
pub fn has_open(path: &Path) -> bool {
    let path = path.canonicalize().unwrap();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .any(|target| target.starts_with(&path))
}
