//! Walks a directory in the order of diffcopy and returns the entries that a filter selects.
//!
//! The order is depth first, siblings sorted by the bytes of their names, a directory before its
//! contents. The walk uses descriptors of directories (`fstatat`, `openat`), keeps names in one
//! arena and allocates nothing for an entry in the steady state. Entries that the filter drops are
//! not even inspected: their type is in the directory.

mod directory;
mod emit;
mod error;
mod matching;

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, OFlags, Stat, fstat, statat};

use crate::beneath;
use crate::filter::{CompiledFilter, Filter};
use crate::follow::is_missing;
use crate::wire::StatRef;
use directory::{Kind, Listing};
use emit::{Emit, Emitted, Place};
pub use error::WalkError;
use matching::MatchStack;

/// Maximum number of directories above the current one that stay open. In deeper trees, directories
/// are opened again on the way back.
const OPEN_LEVELS: usize = 48;

/// Options for describing entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// Whether every entry belongs to user and group 0. BuildKit's clients do so for build
    /// contexts, so that a build does not depend on the user who starts it. Default: true.
    pub reset_owner: bool,
    /// Whether to read extended attributes. Default: true.
    pub xattrs: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self {
            reset_owner: true,
            xattrs: true,
        }
    }
}

/// An entry that the filter selects.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Number of the entry, counted from 0 in the order of the walk.
    pub id: u32,
    /// Number of its directory; `None` for the root.
    pub parent: Option<u32>,
    /// Last part of its path.
    pub name: &'a [u8],
    /// Properties of the file.
    pub stat: StatRef<'a>,
}

/// Walks `root` (a symlink is resolved) and calls `visit` for every entry that `filter` selects.
/// The root itself is not an entry. Ends early without an error if `visit` breaks or `stop` becomes
/// true.
///
/// Entries that vanish meanwhile are left out. A directory that cannot be read is an error only if
/// the filter selects it.
///
/// # Errors
///
/// See [`WalkError`].
pub fn walk(
    root: &Path,
    filter: &Filter,
    options: WalkOptions,
    stop: &AtomicBool,
    visit: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> Result<(), WalkError> {
    let fd = open_root(root)?;
    walk_opened(fd.as_fd(), root, filter, options, stop, visit)
}

/// Opens the root of a walk.
pub(crate) fn open_root(root: &Path) -> Result<OwnedFd, WalkError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(root, flags, rustix::fs::Mode::empty()).map_err(|error| WalkError::Root {
        path: root.to_owned(),
        source: error.into(),
    })
}

/// Runs [`walk`] with a descriptor of the root, which is at `path`.
pub(crate) fn walk_opened(
    root: BorrowedFd<'_>,
    path: &Path,
    filter: &Filter,
    options: WalkOptions,
    stop: &AtomicBool,
    visit: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> Result<(), WalkError> {
    let filter = filter.compile(path, stop)?;
    let mut walk = Walk {
        root,
        filter: &filter,
        include: MatchStack::new(filter.include.as_ref()),
        exclude: MatchStack::new(filter.exclude.as_ref()),
        listing: Listing::default(),
        levels: Vec::new(),
        emit: Emit::new(path, options, visit),
    };
    walk.run(stop)
}

/// A directory that the walk is in.
struct Level {
    /// `None` for the root, and for a directory far above that was closed meanwhile.
    directory: Option<OwnedFd>,
    /// Length of the path of the directory in [`Emit::path`], including the root.
    path_length: usize,
    /// Start of its name in that path.
    name_start: usize,
    /// Number of the directory, if it was emitted. The root has none.
    id: Option<u32>,
    /// Entries of the directory that are yet to come.
    entries: directory::Entries,
}

struct Walk<'a, V> {
    root: BorrowedFd<'a>,
    filter: &'a CompiledFilter,
    include: MatchStack<'a>,
    exclude: MatchStack<'a>,
    listing: Listing,
    levels: Vec<Level>,
    emit: Emit<V>,
}

/// The decision of the filter about an entry.
enum Verdict {
    /// The entry is sent.
    Keep,
    /// The entry is not sent, but entries below it may be.
    Skip,
    /// Neither the entry nor anything below it is sent.
    Prune,
}

impl<V: FnMut(&Entry<'_>) -> ControlFlow<()>> Walk<'_, V> {
    fn run(&mut self, stop: &AtomicBool) -> Result<(), WalkError> {
        let root_length = self.emit.root_length;
        let entries = match self.listing.read(self.root) {
            Ok(entries) => entries,
            Err(source) => return Err(self.emit.error("read directory", source)),
        };
        self.levels.push(Level {
            directory: None,
            path_length: root_length,
            name_start: root_length,
            id: None,
            entries,
        });
        while let Some(level) = self.levels.last_mut() {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.listing.next(&mut level.entries) {
                Some(entry) => {
                    self.emit.path.truncate(level.path_length);
                    if level.path_length > root_length {
                        self.emit.path.push(b'/');
                    }
                    let name_start = self.emit.path.len();
                    self.emit
                        .path
                        .extend_from_slice(self.listing.name(entry).to_bytes());
                    if self.entry(entry, name_start)?.is_break() {
                        return Ok(());
                    }
                }
                None => {
                    self.listing.forget(&level.entries);
                    self.levels.pop();
                    self.include.leave();
                    self.exclude.leave();
                }
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: directory::Entry,
        name_start: usize,
    ) -> Result<ControlFlow<()>, WalkError> {
        let mut stat = None;
        let mut is_directory = match entry.kind {
            Kind::Directory => true,
            Kind::Other => false,
            Kind::Unknown => {
                stat = self.stat(entry)?;
                match &stat {
                    Some(stat) => is_directory_mode(stat),
                    None => return Ok(ControlFlow::Continue(())),
                }
            }
        };
        let verdict = self.judge(is_directory)?;
        let mut id = None;
        match verdict {
            Verdict::Prune => return Ok(ControlFlow::Continue(())),
            Verdict::Skip => {}
            Verdict::Keep => {
                if stat.is_none() {
                    stat = self.stat(entry)?;
                }
                let Some(stat) = stat else {
                    return Ok(ControlFlow::Continue(()));
                };
                is_directory = is_directory_mode(&stat);
                match self.parents() {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
                    Err(WalkError::Entry { source, .. }) if is_gone(&source) => {
                        return Ok(ControlFlow::Continue(()));
                    }
                    Err(error) => return Err(error),
                }
                let parent = self.levels.last().and_then(|level| level.id);
                let directory = directory_of(&mut self.levels, self.root, &self.emit)
                    .map_err(|error| self.emit.error("reopen directory of", error))?;
                let length = self.emit.path.len();
                let place = Place {
                    directory,
                    name_start,
                    length,
                    parent,
                };
                match self.emit.entry(&stat, &place, self.listing.name(entry))? {
                    Emitted::Entry(emitted) => id = Some(emitted),
                    Emitted::Vanished => return Ok(ControlFlow::Continue(())),
                    Emitted::Last => return Ok(ControlFlow::Break(())),
                }
            }
        }
        if is_directory {
            self.enter(entry, name_start, id)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Applies the filter to the entry with the current path.
    fn judge(&mut self, is_directory: bool) -> Result<Verdict, WalkError> {
        let path = self.emit.relative();
        let mut verdict = Verdict::Keep;
        if let Some(matched) = self.include.matches(path)?
            && !matched
        {
            if is_directory && !self.filter.may_include_below(path) {
                return Ok(Verdict::Prune);
            }
            verdict = Verdict::Skip;
        }
        if let Some(matched) = self.exclude.matches(path)?
            && matched
        {
            if is_directory && !self.filter.may_except_below(path) {
                return Ok(Verdict::Prune);
            }
            verdict = Verdict::Skip;
        }
        Ok(verdict)
    }

    /// Returns the properties of an entry, or `None` if it vanished.
    fn stat(&mut self, entry: directory::Entry) -> Result<Option<Stat>, WalkError> {
        let name = self.listing.name(entry);
        let stat = directory_of(&mut self.levels, self.root, &self.emit)
            .and_then(|directory| Ok(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match stat {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(self.emit.error("stat", error)),
        }
    }

    /// Emits the directories above the current entry that were not selected themselves.
    fn parents(&mut self) -> Result<ControlFlow<()>, WalkError> {
        for index in 1..self.levels.len() {
            if self.levels[index].id.is_some() {
                continue;
            }
            let parent = self.levels[index - 1].id;
            let Level {
                path_length,
                name_start,
                ..
            } = self.levels[index];
            let is_closed = self.levels[index].directory.is_none();
            let directory = open_level(&mut self.levels, index, self.root, &self.emit)
                .map_err(|error| self.emit.error("reopen a directory above", error))?;
            let stat = fstat(directory)
                .map_err(|error| self.emit.error("stat a directory above", error.into()))?;
            let place = Place {
                directory,
                name_start,
                length: path_length,
                parent,
            };
            match self.emit.entry(&stat, &place, c".")? {
                Emitted::Entry(id) => self.levels[index].id = Some(id),
                // The directory is open, so only its extended attributes can vanish.
                Emitted::Vanished => {}
                Emitted::Last => return Ok(ControlFlow::Break(())),
            }
            if is_closed {
                self.levels[index].directory = None;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn enter(
        &mut self,
        entry: directory::Entry,
        name_start: usize,
        id: Option<u32>,
    ) -> Result<(), WalkError> {
        let is_kept = id.is_some();
        let read = directory_of(&mut self.levels, self.root, &self.emit)
            .and_then(|parent| directory::open(parent, self.listing.name(entry)))
            .and_then(|directory| {
                let entries = self.listing.read(directory.as_fd())?;
                Ok((directory, entries))
            });
        let (directory, entries) = match read {
            Ok(read) => read,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) if !is_kept && error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(());
            }
            Err(source) => return Err(self.emit.error("read directory", source)),
        };
        if let Some(far) = self.levels.len().checked_sub(OPEN_LEVELS) {
            self.levels[far].directory = None;
        }
        self.levels.push(Level {
            directory: Some(directory),
            path_length: self.emit.path.len(),
            name_start,
            id,
            entries,
        });
        self.include.enter();
        self.exclude.enter();
        Ok(())
    }
}

/// Returns whether the entry vanished, or something else replaced it or a directory above it.
fn is_gone(error: &io::Error) -> bool {
    is_missing(error) || error.raw_os_error() == Some(libc::ELOOP)
}

fn is_directory_mode(stat: &Stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Returns the descriptor of the directory that the walk is in.
fn directory_of<'a, V>(
    levels: &'a mut [Level],
    root: BorrowedFd<'a>,
    emit: &Emit<V>,
) -> io::Result<BorrowedFd<'a>> {
    open_level(levels, levels.len() - 1, root, emit)
}

/// Returns the descriptor of a directory at or above the current one.
fn open_level<'a, V>(
    levels: &'a mut [Level],
    index: usize,
    root: BorrowedFd<'a>,
    emit: &Emit<V>,
) -> io::Result<BorrowedFd<'a>> {
    if index == 0 {
        return Ok(root);
    }
    let level = &mut levels[index];
    let directory = match level.directory.take() {
        Some(directory) => directory,
        None => {
            let path = &emit.path[emit.root_length..level.path_length];
            beneath::open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)?
        }
    };
    let directory: &OwnedFd = level.directory.insert(directory);
    Ok(directory.as_fd())
}
