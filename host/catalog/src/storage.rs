//! The storage of installed drivers: the lock file and the components.
//!
//! | Path in the store | Content |
//! |---|---|
//! | `drivers/drivers.lock` | a [`LockFile`], in TOML |
//! | `drivers/components/<digits of the digest>.wasm` | the components |
//!
//! The lock file is written under the store's lock and replaced in one step. A component is written
//! before the lock file names it, and removed after the lock file no longer names it. A process that is
//! killed in between leaves at most one unused component, which the next writer removes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iechor_files::directory::LOCK_WAIT;
use iechor_files::{Directory, DirectoryError, Locked};
use iechor_registry::Digest;

use crate::error::CatalogError;
use crate::lock::{self, LockFile};
use crate::users::{self, User, Users};

const DIRECTORY: &str = "drivers";
const FILE: &str = "drivers.lock";
const COMPONENTS: &str = "components";
/// Maximum size of the lock file, in bytes; enough for about ten thousand drivers.
const LARGEST: u64 = 8 << 20;

/// The installed drivers of a store.
pub struct Storage {
    store: Directory,
    users: Arc<dyn Users>,
}

impl Storage {
    /// Returns the installed drivers of a store. `users` lists its builders. Reads nothing yet.
    pub fn new(store: Directory, users: Arc<dyn Users>) -> Self {
        Self { store, users }
    }

    /// Reads the lock file. Without a file, no drivers are installed. An entry that cannot be used is listed
    /// as [broken](LockFile::broken_drivers) and does not affect the others.
    ///
    /// # Errors
    ///
    /// Returns an error if the whole file cannot be used.
    pub fn lock_file(&self) -> Result<LockFile, CatalogError> {
        let path = self.lock_path();
        match iechor_files::read_to_string(&path, LARGEST) {
            Ok(text) => lock::parse(&path, &text),
            Err(error) if error.is_not_found() => Ok(LockFile::default()),
            Err(error) => {
                let reason = error.to_string();
                Err(CatalogError::BrokenLock { path, reason })
            }
        }
    }

    /// Returns the path of the component of an installed driver.
    pub fn component_path(&self, digest: &Digest) -> PathBuf {
        self.store.path().join(components()).join(file_name(digest))
    }

    /// Changes the lock file, and adds a component. If `change` fails, nothing is changed.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be used or written, and the error of `change`.
    pub fn edit<T>(
        &self,
        component: Option<(&Digest, &[u8])>,
        change: impl FnOnce(&mut LockFile) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        self.edit_in(&self.store.lock(LOCK_WAIT)?, component, change)
    }

    /// Does what [`Self::edit`] does, under the store's lock, which the caller holds.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::edit`].
    pub fn edit_in<T>(
        &self,
        locked: &Locked,
        component: Option<(&Digest, &[u8])>,
        change: impl FnOnce(&mut LockFile) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let before = self.lock_file()?;
        let mut lock = before.clone();
        let value = change(&mut lock)?;
        if let Some((digest, bytes)) = component {
            locked.write(components().join(file_name(digest)), bytes)?;
        }
        if lock != before {
            let text = lock::render(&lock).map_err(|error| DirectoryError::File {
                action: "write",
                path: self.lock_path(),
                source: std::io::Error::other(error),
            })?;
            locked.write(Path::new(DIRECTORY).join(FILE), text.as_bytes())?;
        }
        // An unusable entry may refer to any component.
        if lock.is_whole() {
            let pinned = self.pinned()?;
            let installed = lock.drivers.iter().map(|driver| &driver.digest);
            let named: Vec<_> = installed.chain(&pinned).map(file_name).collect();
            locked.keep_only(components(), &named)?;
        }
        Ok(value)
    }

    /// Returns the builders that use the installed driver with the given name. Omits builders that cannot be
    /// read, because they cannot be used.
    ///
    /// # Errors
    ///
    /// Returns an error if the builders cannot be listed.
    pub fn users_of(&self, name: &str) -> Result<Vec<User>, CatalogError> {
        let all = users::named(self.users.as_ref())?.into_iter();
        Ok(all
            .filter(|(used, _)| used.eq_ignore_ascii_case(name))
            .map(|(_, user)| user)
            .collect())
    }

    /// Returns whether a builder was created with the component that has the given digest.
    pub(crate) fn is_remembered(&self, digest: &Digest) -> Result<bool, CatalogError> {
        let all = self.users.list().map_err(CatalogError::Users)?;
        Ok(all
            .iter()
            .any(|used| used.digest.as_deref() == Some(digest.as_str())))
    }

    /// Returns the components that builders are pinned to. They stay even if others were installed.
    fn pinned(&self) -> Result<Vec<Digest>, CatalogError> {
        let all = users::named(self.users.as_ref())?.into_iter();
        Ok(all.filter_map(|(_, user)| user.pinned).collect())
    }

    fn lock_path(&self) -> PathBuf {
        self.store.path().join(DIRECTORY).join(FILE)
    }
}

fn components() -> PathBuf {
    Path::new(DIRECTORY).join(COMPONENTS)
}

fn file_name(digest: &Digest) -> String {
    format!("{}.wasm", digest.digits())
}

#[cfg(test)]
mod tests;
