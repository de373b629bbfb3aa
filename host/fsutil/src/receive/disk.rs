//! The work on the file system while packets arrive, on one blocking thread.
//!
//! The place of an entry is a directory, opened beneath the destination, and a name in it. Files
//! are written under a temporary name and renamed when they are complete, so nobody sees an
//! incomplete file, and after a failure only temporary names have to be removed.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::{Errno, retry_on_intr};
use tokio::sync::mpsc;

use super::attributes::Attributes;
use super::kept::Kept;
use super::order::Order;
use super::place::Places;
use super::properties::About;
use super::{Limits, ReceiveError, ReceiveOptions, Received};
use crate::mode;
use crate::name::shown;
use crate::wire::{Packet, PacketKind, Stat};

/// Maximum number of packets that are taken from the channel at once.
const AT_ONCE: usize = 64;
/// Maximum number of files that are open at the same time. A sender that mixes the contents of more
/// files makes them open again.
const OPEN_FILES: usize = 32;

/// A message from the thread to the sender.
pub(super) enum Reply {
    /// Requests the content of this entry.
    Request(u32),
    /// Everything is written.
    Finish,
}

/// A file whose content is not complete.
struct Pending {
    /// Open file while content is being written.
    file: Option<OwnedFd>,
    /// Whether it exists under its temporary name.
    exists: bool,
    /// Size of the whole content, and of what is yet to come.
    size: u64,
    left: u64,
    about: About,
}

/// The destination and the state of the transfer.
pub(super) struct Disk {
    places: Places,
    order: Order,
    replies: mpsc::UnboundedSender<Reply>,
    pending: HashMap<u32, Pending>,
    /// Pending files that are open, the oldest first. Some may be closed already.
    open: VecDeque<u32>,
    /// Entries that a hard link may refer to, by the hash of their paths.
    linkable: HashMap<u64, u32>,
    hasher: RandomState,
    /// Hard links and their targets. Created when all files are complete.
    links: Vec<(u32, u32)>,
    /// Directories in the order of arrival. They get their modes and times at the end, the deepest
    /// first.
    directories: Vec<(u32, About)>,
    /// Size of the extended attributes that are kept, in bytes.
    attributes: usize,
    limits: Limits,
    /// Whether files get the bits to set user and group ID. The user of a file is the current user, so
    /// the bits would let every other user act as that one.
    keeps_set_id: bool,
    received: Received,
    /// The list of entries that the caller needs, if it does.
    kept: Option<Arc<Kept>>,
    /// Whether all entries have arrived.
    is_listed: bool,
    /// Whether everything is done except for the sender's confirmation.
    is_finished: bool,
}

impl Disk {
    /// Opens the destination.
    pub(super) fn open(
        path: &Path,
        options: ReceiveOptions,
        kept: Option<Arc<Kept>>,
        replies: mpsc::UnboundedSender<Reply>,
    ) -> Result<Self, ReceiveError> {
        let places = Places::open(path, options).map_err(|source| ReceiveError::Destination {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            places,
            order: Order::new(),
            replies,
            pending: HashMap::new(),
            open: VecDeque::new(),
            linkable: HashMap::new(),
            hasher: RandomState::new(),
            links: Vec::new(),
            directories: Vec::new(),
            attributes: 0,
            limits: options.limits,
            keeps_set_id: rustix::process::geteuid().is_root(),
            received: Received::default(),
            kept,
            is_listed: false,
            is_finished: false,
        })
    }

    /// Processes packets until the transfer ends.
    pub(super) fn run(
        mut self,
        mut packets: mpsc::Receiver<Bytes>,
    ) -> Result<Received, ReceiveError> {
        let mut taken = Vec::with_capacity(AT_ONCE);
        while packets.blocking_recv_many(&mut taken, AT_ONCE) > 0 {
            for payload in taken.drain(..) {
                if self.packet(payload)? {
                    return Ok(self.received);
                }
            }
        }
        // A sender that closes instead of confirming our FIN has sent everything, too.
        if self.is_finished {
            Ok(self.received)
        } else {
            Err(ReceiveError::Closed)
        }
    }

    /// Processes a packet. Returns true if it was the last.
    fn packet(&mut self, payload: Bytes) -> Result<bool, ReceiveError> {
        let packet = Packet::decode(payload).map_err(ReceiveError::MalformedPacket)?;
        match PacketKind::try_from(packet.kind) {
            Ok(PacketKind::Stat) if !self.is_listed => match packet.stat {
                Some(stat) => self.entry(stat)?,
                None => {
                    self.is_listed = true;
                    self.finish()?;
                }
            },
            Ok(PacketKind::Data) => {
                self.content(packet.id, &packet.data)?;
                self.finish()?;
            }
            Ok(PacketKind::Finish) if self.is_finished => return Ok(true),
            Ok(PacketKind::Error) => {
                return Err(ReceiveError::Sender {
                    text: shown(&packet.data),
                });
            }
            _ => return Err(ReceiveError::UnexpectedPacket { kind: packet.kind }),
        }
        Ok(false)
    }

    fn entry(&mut self, stat: Stat) -> Result<(), ReceiveError> {
        let path = stat.path.clone();
        let parent = self.order.accept(&path)?;
        let (_, name) = crate::name::split(&path);
        let id = self.places.table.push(parent, name, false)?;
        self.received.entries += 1;
        if let Some(kept) = &self.kept {
            kept.add(&path);
        }
        match FileType::from_raw_mode(mode::to_st_mode(stat.mode).unwrap_or(0)) {
            FileType::Directory => {
                self.places.make_directory(id)?;
                self.order.enter(&path, id);
                let about = self.about(id, &stat)?;
                self.directories.push((id, about));
            }
            FileType::Symlink => self.symlink(id, &stat)?,
            FileType::RegularFile if stat.link_name.is_empty() => {
                self.note_linkable(id, &path);
                let size = u64::try_from(stat.size).map_err(|_| ReceiveError::InvalidSize {
                    path: shown(&path),
                    size: stat.size,
                })?;
                let mut about = self.about(id, &stat)?;
                about.mode = self.without_set_id(about.mode);
                let pending = Pending {
                    file: None,
                    exists: false,
                    size,
                    left: size,
                    about,
                };
                self.pending.insert(id, pending);
                // Without a receiver, the packets end as well.
                let _ = self.replies.send(Reply::Request(id));
            }
            FileType::RegularFile => {
                let Some(target) = self.find_linkable(&stat.link_name) else {
                    let target = shown(&stat.link_name);
                    return Err(ReceiveError::UnknownLinkTarget {
                        path: shown(&path),
                        target,
                    });
                };
                self.links.push((id, target));
            }
            kind @ (FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo) => {
                self.note_linkable(id, &path);
                self.device(id, kind, &stat)?;
            }
            _ => {
                return Err(ReceiveError::UnknownType {
                    path: shown(&path),
                    mode: stat.mode,
                });
            }
        }
        Ok(())
    }

    /// Returns the properties of an entry that is not complete, with its extended attributes.
    fn about(&mut self, id: u32, stat: &Stat) -> Result<About, ReceiveError> {
        let attributes = Attributes::keep(&stat.xattrs);
        self.attributes += attributes.size();
        if self.attributes > self.limits.attributes {
            return Err(ReceiveError::TooManyAttributes {
                path: self.places.shown(id),
                limit: self.limits.attributes,
            });
        }
        Ok(About {
            attributes,
            ..About::new(stat)
        })
    }

    /// Returns the permissions that a file gets on this side.
    fn without_set_id(&self, mode: Mode) -> Mode {
        if self.keeps_set_id {
            mode
        } else {
            mode - Mode::SUID - Mode::SGID
        }
    }

    fn symlink(&mut self, id: u32, stat: &Stat) -> Result<(), ReceiveError> {
        let (parent, temporary) = self.places.prepare(id)?;
        let made = rustix::fs::symlinkat(&stat.link_name[..], &parent, &temporary[..]);
        made.map_err(|error| self.places.error(id, "create symlink", error))?;
        let times = About::new(stat).times();
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if let Err(error) = rustix::fs::utimensat(&parent, &temporary[..], &times, flags) {
            self.places.discard(id);
            return Err(self.places.error(id, "set the time of", error));
        }
        self.places.replace(id)
    }

    fn device(&mut self, id: u32, kind: FileType, stat: &Stat) -> Result<(), ReceiveError> {
        let (parent, temporary) = self.places.prepare(id)?;
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let device = rustix::fs::makedev(number(stat.device_major), number(stat.device_minor));
        let about = About::new(stat);
        let made = rustix::fs::mknodat(&parent, &temporary[..], kind, Mode::RUSR, device);
        if let Err(error) = made {
            let path = self.places.shown(id);
            return Err(match kind {
                FileType::Fifo => self.places.error(id, "create pipe", error),
                _ => ReceiveError::Device {
                    path,
                    source: error.into(),
                },
            });
        }
        // The name is new and our own, so it is not a symlink.
        let outcome = rustix::fs::chmodat(
            &parent,
            &temporary[..],
            self.without_set_id(about.mode),
            AtFlags::empty(),
        )
        .and_then(|()| {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::utimensat(&parent, &temporary[..], &about.times(), flags)
        });
        if let Err(error) = outcome {
            self.places.discard(id);
            return Err(self.places.error(id, "set mode and time of", error));
        }
        self.places.replace(id)
    }

    fn content(&mut self, id: u32, data: &[u8]) -> Result<(), ReceiveError> {
        let Some(pending) = self.pending.get_mut(&id) else {
            return Err(ReceiveError::InvalidContent { id });
        };
        let size = pending.size;
        match pending.left.checked_sub(data.len() as u64) {
            None => {
                let path = self.places.shown(id);
                return Err(ReceiveError::TooLong { path, size });
            }
            // The end of the content came too early.
            Some(left) if left > 0 && data.is_empty() => {
                return Err(ReceiveError::TooShort {
                    path: self.places.shown(id),
                    size,
                    received: size - left,
                });
            }
            Some(left) => pending.left = left,
        }
        if pending.file.is_none() {
            let file = self.places.open_temporary(id, pending.exists)?;
            pending.exists = true;
            pending.file = Some(file);
            self.open.push_back(id);
        }
        if let Some(file) = &pending.file {
            write_all(file, data).map_err(|error| self.places.error(id, "write", error))?;
        }
        self.received.bytes += data.len() as u64;
        if data.is_empty() {
            self.complete(id)?;
        } else if self.open.len() > OPEN_FILES
            && let Some(oldest) = self.open.pop_front()
            && let Some(oldest) = self.pending.get_mut(&oldest)
        {
            oldest.file = None;
        }
        Ok(())
    }

    fn complete(&mut self, id: u32) -> Result<(), ReceiveError> {
        let file = self
            .pending
            .get_mut(&id)
            .and_then(|pending| pending.file.take());
        if let (Some(pending), Some(file)) = (self.pending.get(&id), &file) {
            let applied = pending.about.apply(file);
            applied.map_err(|source| self.places.error(id, "set mode and time of", source))?;
        }
        drop(file);
        self.open.retain(|open| *open != id);
        self.places.replace(id)?;
        if let Some(pending) = self.pending.remove(&id) {
            self.attributes -= pending.about.attributes.size();
        }
        self.received.files += 1;
        Ok(())
    }

    /// Once all entries and contents have arrived, does what had to wait for them and sends FIN.
    fn finish(&mut self) -> Result<(), ReceiveError> {
        if !self.is_listed || self.is_finished || !self.pending.is_empty() {
            return Ok(());
        }
        for (id, target) in std::mem::take(&mut self.links) {
            self.places.link(id, target)?;
        }
        while let Some((id, about)) = self.directories.pop() {
            let directory = self.places.open_directory(id)?;
            let applied = about.apply(&directory);
            applied.map_err(|source| self.places.error(id, "set mode and time of", source))?;
        }
        self.is_finished = true;
        let _ = self.replies.send(Reply::Finish);
        Ok(())
    }

    fn note_linkable(&mut self, id: u32, path: &[u8]) {
        self.linkable.insert(self.hasher.hash_one(path), id);
    }

    fn find_linkable(&self, path: &[u8]) -> Option<u32> {
        let id = *self.linkable.get(&self.hasher.hash_one(path))?;
        let mut found = Vec::new();
        self.places.table.path(id, &mut found);
        (found == path).then_some(id)
    }
}

impl Drop for Disk {
    /// After a failure, removes temporary files and sets the final permissions of directories.
    fn drop(&mut self) {
        for (id, pending) in std::mem::take(&mut self.pending) {
            if pending.exists {
                self.places.discard(id);
            }
        }
        while let Some((id, about)) = self.directories.pop() {
            if let Ok(directory) = self.places.open_directory(id) {
                let _ = about.apply(&directory);
            }
        }
    }
}

fn write_all(file: &OwnedFd, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        let written = retry_on_intr(|| rustix::io::write(file.as_fd(), data))?;
        if written == 0 {
            return Err(Errno::IO);
        }
        data = &data[written..];
    }
    Ok(())
}
