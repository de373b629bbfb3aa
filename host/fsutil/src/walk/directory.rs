//! Reads directories, sorted, into one arena: a stack of listings, the deepest last.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, RawDir, openat};

/// Size of the buffer for `getdents`, in bytes. Most directories fit in at once.
const BUFFER: usize = 32 * 1024;

/// The type of an entry according to the directory. Some file systems do not store it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    Other,
    Unknown,
}

/// An entry of a listing. Its name is in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u32,
    /// Length without the terminating zero.
    length: u16,
    pub(super) kind: Kind,
}

/// The entries of a directory in the arena: `next..end`, with names from `names` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entries {
    first: usize,
    next: usize,
    end: usize,
    names: usize,
}

/// The listings of all directories that a walk is in.
#[derive(Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
    buffer: Vec<MaybeUninit<u8>>,
}

/// Opens a directory in another one. A symlink is an error.
pub(super) fn open(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

impl Listing {
    /// Reads a directory, on top of those that were read before and not forgotten.
    pub(super) fn read(&mut self, directory: BorrowedFd<'_>) -> io::Result<Entries> {
        let first = self.entries.len();
        let names = self.names.len();
        if self.buffer.is_empty() {
            self.buffer.resize(BUFFER, MaybeUninit::uninit());
        }
        let mut reader = RawDir::new(directory, &mut self.buffer);
        let outcome = loop {
            let entry = match reader.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            };
            let name = entry.file_name().to_bytes_with_nul();
            if matches!(name, b".\0" | b"..\0") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Directory => Kind::Directory,
                FileType::Unknown => Kind::Unknown,
                _ => Kind::Other,
            };
            let (Ok(start), Ok(length)) = (
                u32::try_from(self.names.len()),
                u16::try_from(name.len() - 1),
            ) else {
                break Err(io::ErrorKind::FileTooLarge.into());
            };
            self.names.extend_from_slice(name);
            self.entries.push(Entry {
                start,
                length,
                kind,
            });
        };
        if let Err(error) = outcome {
            self.entries.truncate(first);
            self.names.truncate(names);
            return Err(error);
        }
        let (all, entries) = (&self.names, &mut self.entries[first..]);
        let name = |entry: &Entry| &all[entry.start as usize..][..usize::from(entry.length)];
        entries.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        Ok(Entries {
            first,
            next: first,
            end: self.entries.len(),
            names,
        })
    }

    /// Returns the next entry of a directory.
    pub(super) fn next(&self, entries: &mut Entries) -> Option<Entry> {
        (entries.next < entries.end).then(|| {
            entries.next += 1;
            self.entries[entries.next - 1]
        })
    }

    /// Returns the name of an entry of a directory that was not forgotten.
    pub(super) fn name(&self, entry: Entry) -> &CStr {
        let start = entry.start as usize;
        let name = &self.names[start..start + usize::from(entry.length) + 1];
        CStr::from_bytes_with_nul(name).unwrap_or_default()
    }

    /// Removes the listing of the directory that was read last.
    pub(super) fn forget(&mut self, entries: &Entries) {
        self.entries.truncate(entries.first);
        self.names.truncate(entries.names);
    }
}
