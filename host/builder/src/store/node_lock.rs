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

impl Store {
    /// Opens the lock of a node without taking it.
    pub fn node_lock(
        &self,
        builder: &str,
        node: &str,
        endpoint: &str,
    ) -> Result<NodeLock, StoreError> {
        let directory = self.directory.make(LOCKS)?;
        let builder = builder.to_ascii_lowercase();
        let path = directory.join(hash(&format!("{builder}\n{node}\n{endpoint}")));
        let file = self.directory.open_lock(&path)?.into();
        Ok(NodeLock { file, path })
    }
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
