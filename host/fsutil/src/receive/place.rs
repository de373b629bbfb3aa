//! Places below the destination: directories, opened such that no symlink leads elsewhere, and
//! names in them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, chmodat, fstat, linkat, mkdirat, openat, renameat,
    unlinkat,
};
use rustix::io::Errno;

use super::{ReceiveError, ReceiveOptions};
use crate::beneath;
use crate::name::shown;
use crate::table::PathTable;

/// Maximum number of directories that stay open. Contents arrive for a few of them at a time.
const OPEN_DIRECTORIES: usize = 16;
/// Flags to open a directory for operations on names in it, which need no permission to read it.
const NAMING: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

pub(super) struct Places {
    root: Rc<OwnedFd>,
    replace_directories: bool,
    /// The entries so far.
    pub(super) table: PathTable,
    /// Open directories by number, the most recently used at the front.
    directories: Vec<(u32, Rc<OwnedFd>)>,
    /// Random number in temporary names, so that the sender cannot predict them.
    token: u64,
}

impl Places {
    /// Opens the destination. Creates it and the directories above it if they do not exist.
    pub(super) fn open(path: &Path, options: ReceiveOptions) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            root: Rc::new(root),
            replace_directories: options.replace_directories,
            table: PathTable::new(options.limits.entries, options.limits.names),
            directories: Vec::new(),
            token: RandomState::new().build_hasher().finish(),
        })
    }

    /// Returns the path of an entry for a message.
    pub(super) fn shown(&self, id: u32) -> String {
        let mut path = Vec::new();
        self.table.path(id, &mut path);
        shown(&path)
    }

    pub(super) fn error(
        &self,
        id: u32,
        action: &'static str,
        source: impl Into<io::Error>,
    ) -> ReceiveError {
        ReceiveError::Entry {
            action,
            path: self.shown(id),
            source: source.into(),
        }
    }

    /// Returns the directory of an entry, and a temporary name in it.
    pub(super) fn prepare(&mut self, id: u32) -> Result<(Rc<OwnedFd>, Vec<u8>), ReceiveError> {
        Ok((self.parent(id)?, self.temporary(id)))
    }

    /// Opens the file that becomes the entry: a new one, or the existing one at its end.
    pub(super) fn open_temporary(
        &mut self,
        id: u32,
        exists: bool,
    ) -> Result<OwnedFd, ReceiveError> {
        let (parent, temporary) = self.prepare(id)?;
        let how = if exists {
            OFlags::APPEND
        } else {
            OFlags::CREATE | OFlags::EXCL
        };
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | how;
        openat(&parent, &temporary[..], flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| self.error(id, "create", error))
    }

    /// Removes the file with the temporary name.
    pub(super) fn discard(&mut self, id: u32) {
        if let Ok((parent, temporary)) = self.prepare(id) {
            let _ = unlinkat(&parent, &temporary[..], AtFlags::empty());
        }
    }

    /// Renames the file with the temporary name to the entry. The file is removed if that fails.
    pub(super) fn replace(&mut self, id: u32) -> Result<(), ReceiveError> {
        let (parent, temporary) = self.prepare(id)?;
        let name = self.table.name(id);
        let mut outcome = renameat(&parent, &temporary[..], &parent, name);
        if matches!(outcome, Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST)) {
            outcome = if self.replace_directories {
                remove_directory(&parent, name)
            } else {
                unlinkat(&parent, name, AtFlags::REMOVEDIR)
            }
            .and_then(|()| renameat(&parent, &temporary[..], &parent, name));
        }
        outcome.map_err(|error| {
            self.discard(id);
            match error {
                Errno::NOTEMPTY | Errno::EXIST => ReceiveError::DirectoryInTheWay {
                    path: self.shown(id),
                },
                _ => self.error(id, "put in place", error),
            }
        })
    }

    /// Makes an entry another name of one that is in place.
    pub(super) fn link(&mut self, id: u32, target: u32) -> Result<(), ReceiveError> {
        let from = self.parent(target)?;
        let (parent, temporary) = self.prepare(id)?;
        let target = self.table.name(target);
        linkat(&from, target, &parent, &temporary[..], AtFlags::empty())
            .map_err(|error| self.error(id, "create hard link", error))?;
        self.replace(id)?;
        // A rename onto another name of the same file does nothing.
        self.discard(id);
        Ok(())
    }

    /// Creates a directory, unless it exists. Until the end of the transfer, its permissions allow
    /// every operation in it.
    pub(super) fn make_directory(&mut self, id: u32) -> Result<(), ReceiveError> {
        let parent = self.parent(id)?;
        let name = self.table.name(id);
        let all = Mode::RWXU;
        let make = || match mkdirat(&parent, name, all) {
            Ok(()) => Ok(openat(&parent, name, NAMING, Mode::empty())?),
            Err(Errno::EXIST) => match openat(&parent, name, NAMING, Mode::empty()) {
                Ok(directory) => {
                    let mode = Mode::from_raw_mode(fstat(&directory)?.st_mode & 0o7777);
                    if !mode.contains(all) {
                        // The directory may belong to another user; its permissions then decide
                        // what is possible.
                        let _ = chmodat(&parent, name, mode | all, AtFlags::empty());
                    }
                    Ok(directory)
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    unlinkat(&parent, name, AtFlags::empty())?;
                    mkdirat(&parent, name, all)?;
                    openat(&parent, name, NAMING, Mode::empty())
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let directory = make().map_err(|error| self.error(id, "create directory", error))?;
        self.remember(id, Rc::new(directory));
        Ok(())
    }

    /// Opens a directory that was created before, to change its properties.
    pub(super) fn open_directory(&mut self, id: u32) -> Result<OwnedFd, ReceiveError> {
        let parent = self.parent(id)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&parent, self.table.name(id), flags, Mode::empty())
            .map_err(|error| self.error(id, "open directory", error))
    }

    /// Returns the directory of an entry.
    fn parent(&mut self, id: u32) -> Result<Rc<OwnedFd>, ReceiveError> {
        let Some(parent) = self.table.parent(id) else {
            return Ok(Rc::clone(&self.root));
        };
        if let Some(index) = self
            .directories
            .iter()
            .position(|(known, _)| *known == parent)
        {
            self.directories[..=index].rotate_right(1);
            return Ok(Rc::clone(&self.directories[0].1));
        }
        let mut path = Vec::new();
        self.table.path(parent, &mut path);
        let directory = beneath::open(self.root.as_fd(), &path, NAMING)
            .map_err(|source| self.error(parent, "open directory", source))?;
        let directory = Rc::new(directory);
        self.remember(parent, Rc::clone(&directory));
        Ok(directory)
    }

    fn remember(&mut self, id: u32, directory: Rc<OwnedFd>) {
        self.directories.truncate(OPEN_DIRECTORIES - 1);
        self.directories.insert(0, (id, directory));
    }

    fn temporary(&self, id: u32) -> Vec<u8> {
        format!(".tmp.{:016x}.{id}", self.token).into_bytes()
    }
}

/// Removes a directory with all its contents. Follows no symlink.
pub(super) fn remove_directory(parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let removed = match entry.file_type() {
            FileType::Directory => Err(Errno::ISDIR),
            _ => unlinkat(&directory, name, AtFlags::empty()),
        };
        match removed {
            Err(Errno::ISDIR | Errno::PERM) => remove_directory(&directory, name)?,
            removed => removed?,
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}
