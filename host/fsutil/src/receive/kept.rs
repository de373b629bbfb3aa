//! The removal of files that were not received.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::place::remove_directory;
use crate::name::shown;

/// Flags to list a directory.
const LISTING: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The entries that one or more transfers wrote below a directory.
///
/// Only hashes of the paths are stored, so an entry needs some bytes whatever the length of its path.
#[derive(Debug, Default)]
pub struct Kept {
    hasher: RandomState,
    paths: Mutex<HashSet<u64>>,
}

/// An entry could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove `{path}`, which is not in the result")]
pub struct RemoveError {
    /// Path of the entry, relative to the directory.
    path: String,
    /// Reason of the failure.
    source: io::Error,
}

impl Kept {
    /// Adds an entry.
    pub(super) fn add(&self, path: &[u8]) {
        let hash = self.hasher.hash_one(path);
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.insert(hash);
    }

    fn has(&self, path: &[u8]) -> bool {
        let hash = self.hasher.hash_one(path);
        let paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        paths.contains(&hash)
    }

    /// Removes all other entries below the directory. Follows no symlink.
    ///
    /// # Errors
    ///
    /// Returns the first entry that cannot be removed, or the failure to list the directory.
    pub fn remove_others(&self, directory: &Path) -> Result<(), RemoveError> {
        let failed = |path: &[u8], error: Errno| RemoveError {
            path: shown(path),
            source: error.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(directory, flags, Mode::empty())
            .map_err(|error| failed(b".", error))?;
        // Directories whose entries are in the result, by path.
        let mut pending = vec![Vec::new()];
        while let Some(path) = pending.pop() {
            let opened = open(root.as_fd(), &path).map_err(|error| failed(&path, error))?;
            let entries = list(&opened).map_err(|error| failed(&path, error))?;
            for (name, file_type) in entries {
                let mut below = path.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(&name);
                if self.has(&below) {
                    // Another kind of entry than a directory has nothing below it.
                    if matches!(file_type, FileType::Directory | FileType::Unknown) {
                        pending.push(below);
                    }
                    continue;
                }
                let removed = match unlinkat(&opened, &name[..], AtFlags::empty()) {
                    Err(Errno::ISDIR | Errno::PERM) => remove_directory(&opened, &name),
                    removed => removed,
                };
                match removed {
                    // Another process removed it.
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(failed(&below, error)),
                }
            }
        }
        Ok(())
    }
}

/// Opens a directory below the root, part by part.
fn open(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut directory = openat(root, ".", LISTING, Mode::empty())?;
    for part in path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        directory = openat(&directory, part, LISTING, Mode::empty())?;
    }
    Ok(directory)
}

fn list(directory: &OwnedFd) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            entries.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(entries)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_was_not_received_is_removed() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        for name in [
            "a/b/kept",
            "a/b/other",
            "a/c/other",
            "other/deep/file",
            "kept",
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        fs::write(outer.path().join("outside"), "stays").unwrap();
        symlink("..", root.join("link")).unwrap();
        symlink("..", root.join("kept-link")).unwrap();
        let kept = Kept::default();
        for path in ["a", "a/b", "a/b/kept", "kept", "kept-link"] {
            kept.add(path.as_bytes());
        }
        kept.remove_others(&root).unwrap();
        let exists = |name: &str| fs::symlink_metadata(root.join(name)).is_ok();
        for name in ["a/b/kept", "kept", "kept-link"] {
            assert!(exists(name), "{name}");
        }
        for name in ["a/b/other", "a/c", "other", "link"] {
            assert!(!exists(name), "{name}");
        }
        assert!(outer.path().join("outside").exists());
        assert!(kept.remove_others(&root.join("none")).is_err());
    }
}
