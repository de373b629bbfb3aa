//! Describes entries and emits them.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{Stat, lgetxattr, llistxattr, readlinkat_raw};
use rustix::io::Errno;

use super::{Entry, WalkError, WalkOptions};
use crate::mode;
use crate::name::shown;
use crate::wire::{StatRef, Xattr};

/// The place of an entry, whose path is the beginning of the current path.
pub(super) struct Place<'a> {
    /// Directory that contains the name. For a directory with the name `.`, the directory itself.
    pub(super) directory: BorrowedFd<'a>,
    /// Start of the name in the path.
    pub(super) name_start: usize,
    /// End of the path.
    pub(super) length: usize,
    /// Number of the directory of the entry.
    pub(super) parent: Option<u32>,
}

pub(super) enum Emitted {
    /// The entry was emitted with this number.
    Entry(u32),
    /// The entry does not exist any more.
    Vanished,
    /// The visitor stopped the walk.
    Last,
}

/// Describes entries and emits them.
pub(super) struct Emit<V> {
    options: WalkOptions,
    /// Current path: the root, and from `root_length` on the path of the current entry.
    pub(super) path: Vec<u8>,
    pub(super) root_length: usize,
    link: Vec<u8>,
    xattrs: Vec<Xattr>,
    xattr_names: Vec<u8>,
    /// Whether `/proc` has the descriptors of this process. The calls for extended attributes take a
    /// path only, and on the way of an ordinary path, a symlink may replace a directory.
    has_proc: bool,
    /// Path for these calls.
    xattr_path: Vec<u8>,
    /// File system of the last entry, if it has no extended attributes.
    no_xattrs_on: Option<u64>,
    hard_links: HardLinks,
    next_id: u32,
    visit: V,
}

impl<V> Emit<V> {
    /// Creates the state for a walk of the directory at `root`.
    pub(super) fn new(root: &Path, options: WalkOptions, visit: V) -> Self {
        let mut path = root.as_os_str().as_bytes().to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        Self {
            options,
            root_length: path.len(),
            path,
            link: Vec::new(),
            xattrs: Vec::new(),
            xattr_names: Vec::new(),
            has_proc: Path::new("/proc/self/fd").exists(),
            xattr_path: Vec::new(),
            no_xattrs_on: None,
            hard_links: HardLinks::default(),
            next_id: 0,
            visit,
        }
    }

    /// Returns the path of the current entry, relative to the root.
    pub(super) fn relative(&self) -> &[u8] {
        &self.path[self.root_length..]
    }

    pub(super) fn error(&self, action: &'static str, source: io::Error) -> WalkError {
        WalkError::Entry {
            action,
            path: shown(self.relative()),
            source,
        }
    }
}

impl<V: FnMut(&Entry<'_>) -> ControlFlow<()>> Emit<V> {
    /// Describes an entry and emits it. `name` is its name in `place.directory`.
    pub(super) fn entry(
        &mut self,
        stat: &Stat,
        place: &Place<'_>,
        name: &CStr,
    ) -> Result<Emitted, WalkError> {
        let go_mode = mode::from_st_mode(stat.st_mode);
        let is_directory = go_mode & mode::DIRECTORY != 0;
        let is_symlink = go_mode & mode::SYMLINK != 0;
        if is_symlink {
            match read_link(place.directory, name, &mut self.link) {
                Ok(()) => {}
                // The entry vanished, or is not a link any more.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::INVAL) => return Ok(Emitted::Vanished),
                Err(error) => return Err(self.error("read link", error.into())),
            }
        }
        if !self.read_xattrs(stat, place, name)? {
            return Ok(Emitted::Vanished);
        }
        let path = &self.path[self.root_length..place.length];
        let id = self.next_id;
        if id == u32::MAX {
            return Err(WalkError::TooManyEntries { path: shown(path) });
        }
        let link_name: &[u8] = if is_symlink {
            &self.link
        } else if !is_directory && stat.st_nlink > 1 {
            self.hard_links.first(stat, path)
        } else {
            b""
        };
        let is_device = go_mode & mode::DEVICE != 0;
        let device = if is_device { stat.st_rdev } else { 0 };
        let described = StatRef {
            path,
            // A socket is sent as an empty regular file.
            mode: go_mode & !mode::SOCKET,
            uid: if self.options.reset_owner {
                0
            } else {
                stat.st_uid
            },
            gid: if self.options.reset_owner {
                0
            } else {
                stat.st_gid
            },
            size: if is_directory { 0 } else { stat.st_size },
            modified: nanoseconds(stat),
            link_name,
            device_major: i64::from(rustix::fs::major(device)),
            device_minor: i64::from(rustix::fs::minor(device)),
            xattrs: &self.xattrs,
        };
        let entry = Entry {
            id,
            parent: place.parent,
            name: &self.path[place.name_start..place.length],
            stat: described,
        };
        self.next_id += 1;
        Ok(match (self.visit)(&entry) {
            ControlFlow::Continue(()) => Emitted::Entry(id),
            ControlFlow::Break(()) => Emitted::Last,
        })
    }

    /// Reads the extended attributes of an entry. Returns false if it does not exist any more.
    fn read_xattrs(
        &mut self,
        stat: &Stat,
        place: &Place<'_>,
        name: &CStr,
    ) -> Result<bool, WalkError> {
        self.xattrs.clear();
        if !self.options.xattrs || self.no_xattrs_on == Some(stat.st_dev) {
            return Ok(true);
        }
        let path = &mut self.xattr_path;
        path.clear();
        if self.has_proc {
            // Writing to memory cannot fail.
            let _ = write!(path, "/proc/self/fd/{}/", place.directory.as_raw_fd());
            path.extend_from_slice(name.to_bytes());
        } else {
            path.extend_from_slice(&self.path[..place.length]);
        }
        let path = &path[..];
        let names = &mut self.xattr_names;
        if names.is_empty() {
            names.resize(1024, 0);
        }
        let used = loop {
            match llistxattr(path, &mut names[..]) {
                Ok(used) => break used,
                Err(Errno::RANGE) => names.resize(names.len() * 2, 0),
                Err(Errno::OPNOTSUPP) => {
                    self.no_xattrs_on = Some(stat.st_dev);
                    return Ok(true);
                }
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
                Err(error) => return Err(self.error("list extended attributes of", error.into())),
            }
        };
        for name in names[..used].split(|byte| *byte == 0) {
            if name.is_empty() || name.starts_with(b"com.apple.") {
                continue;
            }
            // An attribute that cannot be read is left out: it may need permissions that the file
            // does not.
            if let Ok(value) = read_xattr(path, name) {
                self.xattrs.push(Xattr {
                    name: Bytes::copy_from_slice(name),
                    value,
                });
            }
        }
        Ok(true)
    }
}

fn read_xattr(path: &[u8], name: &[u8]) -> Result<Bytes, Errno> {
    let mut value = vec![0; 256];
    loop {
        match lgetxattr(path, name, &mut value[..]) {
            Ok(used) => {
                value.truncate(used);
                return Ok(value.into());
            }
            Err(Errno::RANGE) if value.len() < 1 << 20 => value.resize(value.len() * 4, 0),
            Err(error) => return Err(error),
        }
    }
}

/// Reads the whole target of a link.
fn read_link(directory: BorrowedFd<'_>, name: &CStr, target: &mut Vec<u8>) -> Result<(), Errno> {
    target.resize(target.capacity().max(256), 0);
    loop {
        let found = readlinkat_raw(directory, name, &mut target[..])?;
        if found < target.len() {
            target.truncate(found);
            return Ok(());
        }
        target.resize(target.len() * 2, 0);
    }
}

/// Returns the time of the last change of the content, in nanoseconds since 1970, within the range
/// of 64 bits.
fn nanoseconds(stat: &Stat) -> i64 {
    let nanoseconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    nanoseconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// The first paths of files with several names. Only emitted entries count, so a link never refers
/// to an entry that the filter dropped.
#[derive(Default)]
struct HardLinks {
    paths: Vec<u8>,
    /// Position of the path in `paths`, by device and inode.
    seen: HashMap<(u64, u64), (usize, u32)>,
}

impl HardLinks {
    /// Returns the first path of a file; empty if this is the first.
    fn first(&mut self, stat: &Stat, path: &[u8]) -> &[u8] {
        use std::collections::hash_map::Entry;
        match self.seen.entry((stat.st_dev, stat.st_ino)) {
            Entry::Occupied(seen) => {
                let (start, length) = *seen.get();
                &self.paths[start..start + length as usize]
            }
            Entry::Vacant(vacant) => {
                // The path was used in system calls, so it is far shorter than 4 GiB.
                vacant.insert((self.paths.len(), path.len() as u32));
                self.paths.extend_from_slice(path);
                b""
            }
        }
    }
}
