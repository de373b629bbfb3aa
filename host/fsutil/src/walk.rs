//! Walks a directory in the order of diffcopy and hands out what a filter leaves.
//!
//! Depth first, siblings sorted by the bytes of their names, a directory before what is in it.
//! The walk works on descriptors of directories (`fstatat`, `openat`), keeps names in one arena
//! and allocates nothing for an entry in the steady state. What the filter drops is not even
//! looked at: its type is in the directory.

mod directory;
mod emit;
mod matching;

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, OFlags, Stat, fstat, statat};

use crate::beneath;
use crate::filter::{CompiledFilter, Filter, FilterError};
use crate::follow::is_missing;
use crate::pattern::PatternError;
use crate::wire::StatRef;
use directory::{Kind, Listing};
use emit::{Emit, Emitted, Place};
use matching::MatchStack;

/// How many directories above the current one stay open. Deeper trees reopen on the way back.
const OPEN_LEVELS: usize = 48;

/// How entries are described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// Every entry belongs to user and group 0. BuildKit's clients do so for build contexts, so
    /// that a build does not depend on who starts it. Default: true.
    pub reset_owner: bool,
    /// Extended attributes are read. Default: true.
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

/// An entry that the filter leaves.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its number: entries count from 0 as they are handed out.
    pub id: u32,
    /// The number of the directory that it is in; `None` for the root.
    pub parent: Option<u32>,
    /// The last part of its path.
    pub name: &'a [u8],
    /// What is known of it.
    pub stat: StatRef<'a>,
}

/// A walk that failed.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The root cannot be opened: it does not exist, is no directory, or is not readable.
    #[error("cannot open directory `{}`", path.display())]
    Root {
        /// The root as it was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The filter cannot be used.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A pattern turned out to be unusable when a path was matched.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// An entry that is to be sent cannot be read. The filter could exclude it.
    #[error("cannot {action} `{path}`")]
    Entry {
        /// What was tried.
        action: &'static str,
        /// The entry, relative to the root.
        path: String,
        /// Why it did not work.
        source: io::Error,
    },
    /// There are more entries than can be numbered.
    #[error("`{path}` is beyond the {} entries that a transfer can have", u32::MAX)]
    TooManyEntries {
        /// The first entry without a number, relative to the root.
        path: String,
    },
}

/// Walks `root` (a symlink there is resolved) and calls `visit` for every entry that `filter`
/// leaves. The root itself is not an entry. Ends early, and well, when `visit` breaks or `stop`
/// becomes true.
///
/// Entries that vanish meanwhile are left out. A directory that may not be read is an error
/// only if the filter leaves it.
///
/// # Errors
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

/// [`walk`] with a descriptor of the root, which is at `path`.
pub(crate) fn walk_opened(
    root: BorrowedFd<'_>,
    path: &Path,
    filter: &Filter,
    options: WalkOptions,
    stop: &AtomicBool,
    visit: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> Result<(), WalkError> {
    let filter = filter.compile(path)?;
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
    /// How long the path of the directory is in [`Emit::path`], the root included.
    path_length: usize,
    /// Where its name begins there.
    name_start: usize,
    /// Its number, if it was handed out. The root has none.
    id: Option<u32>,
    /// The entries of the directory that are still to come.
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

/// What the filter says of an entry.
enum Verdict {
    /// It is sent.
    Keep,
    /// It is not sent, but something below it may be.
    Skip,
    /// Nothing below it is sent either.
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
                if self.parents()?.is_break() {
                    return Ok(ControlFlow::Break(()));
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

    /// Asks the filter about the entry whose path is the current one.
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

    /// `None` when the entry vanished.
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

    /// Hands out the directories above the current entry that were not kept for their own sake.
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
                // It is open: nothing of it can vanish but its extended attributes.
                Emitted::Vanished => {}
                Emitted::Last => return Ok(ControlFlow::Break(())),
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

/// It vanished, or something else took its place or that of a directory above.
fn is_gone(error: &io::Error) -> bool {
    is_missing(error) || error.raw_os_error() == Some(libc::ELOOP)
}

fn is_directory_mode(stat: &Stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// The descriptor of the directory that the walk is in.
fn directory_of<'a, V>(
    levels: &'a mut [Level],
    root: BorrowedFd<'a>,
    emit: &Emit<V>,
) -> io::Result<BorrowedFd<'a>> {
    open_level(levels, levels.len() - 1, root, emit)
}

/// The descriptor of a directory at or above the current one.
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
