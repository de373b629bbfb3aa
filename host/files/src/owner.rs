//! The owner of files that root writes into another user's home directory.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Gid, Uid};

/// A user and a group.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    user: Uid,
    group: Gid,
}

impl Owner {
    /// Returns the user behind `sudo`, if the directory is in that user's home directory.
    pub fn behind_sudo(directory: &Path) -> Option<Self> {
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

    /// Changes the owner of an open file to the user.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn give(self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fchown(file, Some(self.user), Some(self.group))?)
    }

    /// Changes the owner of a directory to the user.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn give_directory(self, directory: &Path) -> io::Result<()> {
        Ok(rustix::fs::chown(
            directory,
            Some(self.user),
            Some(self.group),
        )?)
    }
}
