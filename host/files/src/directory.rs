//! A private directory that several processes read and write. Writers take a lock; readers always see
//! whole files.
//!
//! Files have the mode 0600, and directories 0700. A file is replaced in one step, so a reader sees the
//! old or the new file and needs no lock. A process that is killed leaves at most a temporary file,
//! which the next writer removes. Paths are relative to the directory.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::FileError;
use crate::owner::Owner;
use crate::replace::{Replacement, TEMPORARY_PREFIX, replace};

/// Name of the file that writers lock.
const LOCK: &str = ".lock";

/// Default time that writers wait for another process.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Maximum pause between two attempts to take a lock.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// The reason why a directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process holds the lock.
    #[error(
        "another process has held the lock {} for more than {} s; wait for it or end it (`fuser {}` shows its ID)",
        path.display(), waited.as_secs_f64(), path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The time that was waited.
        waited: Duration,
    },
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The action that failed: `read`, `write`, ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> DirectoryError + 'a {
    move |source| DirectoryError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A private directory.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    owner: Option<Owner>,
}

impl Directory {
    /// Returns the directory at a path. Reads and creates nothing yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let owner = Owner::behind_sudo(&path);
        Self { path, owner }
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at_relative(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return self.path.clone();
        }
        self.path.join(path)
    }

    /// Reads a file of at most `limit` bytes. Returns `None` if the file does not exist.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::read`].
    pub fn read(&self, file: impl AsRef<Path>, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        let path = &self.path.join(file);
        match crate::read(path, limit) {
            Ok(data) => Ok(Some(data)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the names in a directory, sorted. Returns an empty list if the directory does not exist.
    /// Invalid UTF-8 in names is replaced.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn list(&self, directory: impl AsRef<Path>) -> Result<Vec<String>, DirectoryError> {
        let directory = &self.at_relative(directory);
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", directory)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("list", directory))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Creates a directory with its parents unless it exists, and returns its path.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn make(&self, directory: impl AsRef<Path>) -> Result<PathBuf, DirectoryError> {
        let directory = self.at_relative(directory);
        make(&directory, self.owner)?;
        Ok(directory)
    }

    /// Opens a file for locking, and creates it if it does not exist. `flock` needs only read
    /// access, so a file of another user works, too.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn open_lock(&self, file: impl AsRef<Path>) -> Result<OwnedFd, DirectoryError> {
        let path = &self.path.join(file);
        // Without NONBLOCK, opening a named pipe in place of the file would block.
        let flags =
            OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let lock = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| failed("open", path)(error.into()))?;
        let lock = File::from(lock);
        self.give(&lock);
        Ok(lock.into())
    }

    /// Changes the owner of a file to the user behind `sudo`, if there is one. Errors are ignored, because
    /// the file is usable without that.
    pub fn give(&self, file: &File) {
        if let Some(owner) = self.owner {
            let _ = owner.give(file);
        }
    }

    /// Creates the directory, and takes the lock for writing. Waits for another process for at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// Returns an error if another process holds the lock for longer, or the directory cannot be created.
    pub fn lock(&self, limit: Duration) -> Result<Locked, DirectoryError> {
        self.make("")?;
        let path = self.path.join(LOCK);
        let lock = self.open_lock(LOCK)?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        let what = format!("release the lock {}", path.display());
        let _wait = iechor_waiting::begin("another process", what);
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let waited = start.elapsed();
                    if waited >= limit {
                        return Err(DirectoryError::Locked {
                            path,
                            waited: limit,
                        });
                    }
                    std::thread::sleep(pause.min(limit - waited));
                    pause = (pause * 2).min(LOCK_RETRY);
                }
                Err(error) => return Err(failed("lock", &path)(error.into())),
            }
        }
        // Writers write only under the lock, so the process that created these files has ended.
        self.remove_leftovers();
        Ok(Locked {
            directory: self.clone(),
            _lock: lock,
            _stays_here: PhantomData,
        })
    }

    /// Removes temporary files of killed writers. Errors are ignored.
    fn remove_leftovers(&self) {
        for name in self.list("").unwrap_or_default() {
            if name.starts_with(TEMPORARY_PREFIX) {
                let _ = fs::remove_file(self.path.join(name));
            }
        }
    }
}

/// A lock that permits writing to a directory. Other processes wait until it is dropped.
///
/// It cannot be sent to another thread, so on a multi-threaded runtime a task that holds it across an
/// `.await` does not compile.
#[derive(Debug)]
pub struct Locked {
    directory: Directory,
    _lock: OwnedFd,
    _stays_here: PhantomData<*const ()>,
}

impl Locked {
    /// Returns the directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Replaces a file. Creates its directory if it does not exist.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn write(&self, file: impl AsRef<Path>, data: &[u8]) -> Result<(), DirectoryError> {
        let Directory { path: root, owner } = &self.directory;
        let path = &root.join(file);
        if let Some(parent) = path.parent() {
            make(parent, *owner)?;
        }
        let how = Replacement {
            // Not beside the file, because other programs treat every file of some directories as an entry.
            temporary_in: Some(root),
            owner: *owner,
            durable: true,
        };
        replace(path, data, how).map_err(failed("write", path))
    }

    /// Removes a file. Returns `false` if it did not exist.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn remove(&self, file: impl AsRef<Path>) -> Result<bool, DirectoryError> {
        remove(&self.directory.path.join(file))
    }

    /// Removes a directory with its contents, if it exists.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn remove_tree(&self, directory: impl AsRef<Path>) -> Result<(), DirectoryError> {
        let path = &self.directory.path.join(directory);
        match fs::remove_dir_all(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove", path)(error)),
        }
    }

    /// Removes all files of a directory except those with the given names.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn keep_only(
        &self,
        directory: impl AsRef<Path>,
        names: &[String],
    ) -> Result<(), DirectoryError> {
        let directory = directory.as_ref();
        for name in self.directory.list(directory)? {
            if !names.contains(&name) {
                self.remove(directory.join(name))?;
            }
        }
        Ok(())
    }
}

/// Removes a file. Returns `false` if it did not exist.
///
/// # Errors
///
/// Returns the error of the operating system.
pub fn remove(path: &Path) -> Result<bool, DirectoryError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

fn make(directory: &Path, owner: Option<Owner>) -> Result<(), DirectoryError> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent();
    if let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty()) {
        make(parent, owner)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        // Another process created it at the same time.
        Err(_) if directory.is_dir() => return Ok(()),
        Err(error) => return Err(failed("create the directory", directory)(error)),
    }
    if let Some(owner) = owner {
        owner
            .give_directory(directory)
            .map_err(failed("change the owner of", directory))?;
    }
    Ok(())
}
