//! File locks: of nodes in use, and of records.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use iechor_files::DirectoryError;
use iechor_files::directory::remove;
use rustix::fs::FlockOperation;

use super::error::StoreError;
use super::{Store, hash};

/// The directory of the locks of nodes that are in use.
const LOCKS: &str = "locks";

/// A kind of lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Several processes may hold it.
    Shared,
    /// Only one process holds it.
    Exclusive,
}

/// The lock of a node, which processes share while they use the node. A process that holds it
/// exclusively may remove what an interrupted operation left.
#[derive(Debug)]
pub struct NodeLock {
    file: File,
    path: PathBuf,
}

impl NodeLock {
    /// Shares the lock; `false` if another process holds it exclusively.
    pub fn try_share(&self) -> Result<bool, StoreError> {
        try_lock(&self.file, &self.path, Mode::Shared)
    }

    /// Takes the lock exclusively; `false` if another process holds it. The lock is not shared any
    /// more afterwards, so that one of two processes that are cancelled can clean up.
    pub fn try_alone(&self) -> Result<bool, StoreError> {
        try_lock(&self.file, &self.path, Mode::Exclusive)
    }

    /// Removes the lock of a removed node, unless another process holds it.
    pub fn discard(&self) -> Result<(), StoreError> {
        if self.try_alone()? {
            remove(&self.path)?;
        }
        Ok(())
    }
}

/// A mark that a process boots a node. Dropping it removes the mark.
#[derive(Debug)]
pub struct BootMark(NodeLock);

impl Drop for BootMark {
    fn drop(&mut self) {
        // A file that remains without a lock marks nothing.
        let _ = self.0.discard();
    }
}

impl Store {
    /// Marks that this process boots a node, for listings.
    pub fn mark_boot(
        &self,
        builder: &str,
        node: &str,
        endpoint: &str,
    ) -> Result<BootMark, StoreError> {
        let lock = self.node_lock(builder, node, &booted(endpoint))?;
        // A listing that looks at the mark holds it for a moment only, and boots work without it.
        lock.try_share()?;
        Ok(BootMark(lock))
    }

    /// Returns whether a process boots a node now. Writes nothing.
    pub fn is_booting(&self, builder: &str, node: &str, endpoint: &str) -> bool {
        let path = self.directory.path().join(LOCKS);
        let path = path.join(lock_name(builder, node, &booted(endpoint)));
        let Ok(file) = File::open(&path) else {
            return false;
        };
        matches!(try_lock(&file, &path, Mode::Exclusive), Ok(false))
    }

    /// Opens the lock of a node without taking it.
    pub fn node_lock(
        &self,
        builder: &str,
        node: &str,
        endpoint: &str,
    ) -> Result<NodeLock, StoreError> {
        let directory = self.directory.make(LOCKS)?;
        let path = directory.join(lock_name(builder, node, endpoint));
        let file = self.directory.open_lock(&path)?.into();
        Ok(NodeLock { file, path })
    }
}

fn lock_name(builder: &str, node: &str, endpoint: &str) -> String {
    let builder = builder.to_ascii_lowercase();
    hash(&format!("{builder}\n{node}\n{endpoint}"))
}

/// Returns what the mark of a boot has in place of an endpoint, which has no line feed.
fn booted(endpoint: &str) -> String {
    format!("{endpoint}\nboot")
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    let path = path.to_owned();
    DirectoryError::File {
        action,
        path,
        source,
    }
    .into()
}

/// Takes the lock of a file without waiting; `false` if another process holds it.
pub(super) fn try_lock(file: &File, path: &Path, mode: Mode) -> Result<bool, StoreError> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        return match rustix::fs::flock(file, operation) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(failed("lock", path, error.into())),
        };
    }
}
