//! Files that are replaced in one step, private to their owner.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use iechor_files::FileError;
use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::StoreError;

/// Temporary files stand beside the store's directories rather than in them: the peer takes every
/// file in `instances` for a builder.
const TEMPORARY: &str = ".iechor-tmp-";

/// Whom files are given to where root writes into the home directory of the user behind `sudo`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    user: Uid,
    group: Gid,
}

impl Owner {
    /// The user behind `sudo`, if the store lies in that user's home directory.
    pub(super) fn behind_sudo(directory: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let id = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        let (user, group) = (id("SUDO_UID")?, id("SUDO_GID")?);
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
        let owns_home = fs::metadata(&home).is_ok_and(|home| home.uid() == user);
        (owns_home && directory.starts_with(&home)).then(|| Self {
            user: Uid::from_raw(user),
            group: Gid::from_raw(group),
        })
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The content, of `limit` bytes at most; `None` if there is no such file.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    match iechor_files::read(path, limit) {
        Ok(data) => Ok(Some(data)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names in a directory, sorted; none if there is no such directory. Names that are not UTF-8
/// cannot be those of a builder and are shown with replacements.
pub(super) fn list(directory: &Path) -> Result<Vec<String>, StoreError> {
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

/// Makes a directory with its parents, private; one that is there stays as it is.
pub(super) fn make_directory(directory: &Path, owner: Option<Owner>) -> Result<(), StoreError> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent();
    if let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty()) {
        make_directory(parent, owner)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {}
        // Another process was quicker.
        Err(_) if directory.is_dir() => return Ok(()),
        Err(error) => return Err(failed("make the directory", directory)(error)),
    }
    if let Some(owner) = owner {
        rustix::fs::chown(directory, Some(owner.user), Some(owner.group))
            .map_err(|error| failed("change the owner of", directory)(error.into()))?;
    }
    Ok(())
}

/// Opens the lock file, which is made if it is not there. Reading suffices for `flock`, so a file
/// that another user made works too.
pub(super) fn open_lock(path: &Path, owner: Option<Owner>) -> Result<OwnedFd, StoreError> {
    // A named pipe in its place would be waited for.
    let flags =
        OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let lock = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| failed("open", path)(error.into()))?;
    if let Some(owner) = owner {
        // Who cannot give the file away can still lock it.
        let _ = rustix::fs::fchown(&lock, Some(owner.user), Some(owner.group));
    }
    Ok(lock)
}

/// Gives a file to the user behind `sudo`. Who cannot give it away can still use it.
pub(super) fn give(file: &File, owner: Owner) {
    let _ = rustix::fs::fchown(file, Some(owner.user), Some(owner.group));
}

/// Replaces a file: `path` has the old content or the new one, never a part, whatever ends this
/// process.
pub(super) fn replace(
    directory: &Path,
    path: &Path,
    data: &[u8],
    owner: Option<Owner>,
) -> Result<(), StoreError> {
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(directory)
        .map_err(failed("make a temporary file in", directory))?;
    let write = |file: &mut File| {
        if let Some(owner) = owner {
            rustix::fs::fchown(&*file, Some(owner.user), Some(owner.group))?;
        }
        file.write_all(data)?;
        file.sync_all()
    };
    write(temporary.as_file_mut()).map_err(failed("write", path))?;
    temporary
        .persist(path)
        .map_err(|error| failed("write", path)(error.error))?;
    // So that the name survives a power failure too. Not every file system can do this.
    if let Some(parent) = path.parent() {
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

/// Removes a file; `false` if there was none.
pub(super) fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

/// Removes a directory with everything in it, if it is there.
pub(super) fn remove_tree(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

/// Removes what killed writers left. Failing at it harms nobody.
pub(super) fn remove_leftovers(directory: &Path) {
    for name in list(directory).unwrap_or_default() {
        if name.starts_with(TEMPORARY) {
            let _ = fs::remove_file(directory.join(name));
        }
    }
}
