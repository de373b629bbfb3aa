//! Unfinished writes to a store.
//!
//! The data of a write is in a file of its own with a random name, below `ingest`. Only a commit gives it the
//! name of a blob: the digest of its content. A write can be resumed as long as the session is open; after
//! that, its file is removed.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;
use tonic::Status;

use super::digest::BlobDigest;
use super::messages::WriteStatus;
use super::timestamp;
use crate::session::new_id;

/// Maximum number of unfinished writes of a store. Each has an open file.
const MOST_INGESTS: usize = 256;

/// Maximum length of the name that the daemon gives to a write, in bytes.
const LONGEST_REF: usize = 4 << 10;

/// The unfinished writes of a store, by the names that the daemon gave them.
pub(super) struct Ingests {
    directory: Arc<OwnedFd>,
    by_ref: Mutex<BTreeMap<String, Entry>>,
}

type Entry = Arc<tokio::sync::Mutex<Ingest>>;

impl Ingests {
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self {
            directory: Arc::new(directory),
            by_ref: Mutex::default(),
        }
    }

    /// Begins or resumes a write. No other call can use it until the guard is dropped. This may block.
    ///
    /// # Errors
    ///
    /// Returns `Unavailable` if another call uses it; the daemon then tries again.
    pub(super) fn open(&self, name: &str, total: u64) -> Result<OwnedMutexGuard<Ingest>, Status> {
        if name.is_empty() {
            return Err(Status::invalid_argument(
                "first message must have a reference",
            ));
        }
        if name.len() > LONGEST_REF {
            return Err(Status::invalid_argument(format!(
                "the reference of the write has more than {LONGEST_REF} bytes"
            )));
        }
        let mut by_ref = self.by_ref();
        let entry = match by_ref.get(name) {
            Some(entry) => Arc::clone(entry),
            None if by_ref.len() >= MOST_INGESTS => {
                return Err(Status::resource_exhausted(format!(
                    "more than {MOST_INGESTS} writes are not committed"
                )));
            }
            None => {
                let ingest = Ingest::create(&self.directory)
                    .map_err(|error| Status::unknown(format!("cannot create a file: {error}")))?;
                let entry = Entry::new(tokio::sync::Mutex::new(ingest));
                by_ref.insert(name.to_owned(), Arc::clone(&entry));
                entry
            }
        };
        let mut ingest = entry
            .try_lock_owned()
            .map_err(|_| Status::unavailable(format!("ref {name} is locked by another write")))?;
        if ingest.total == 0 {
            ingest.total = total;
        }
        Ok(ingest)
    }

    /// Forgets a write. Its file is removed as soon as no call uses it.
    ///
    /// # Errors
    ///
    /// Returns `NotFound` if there is no such write.
    pub(super) fn forget(&self, name: &str) -> Result<(), Status> {
        match self.by_ref().remove(name) {
            Some(_) => Ok(()),
            None => Err(unknown(name)),
        }
    }

    /// Returns the state of a write.
    ///
    /// # Errors
    ///
    /// Returns `NotFound` if there is no such write, `Unavailable` if a call uses it.
    pub(super) fn status(&self, name: &str) -> Result<WriteStatus, Status> {
        let entry = self.by_ref().get(name).map(Arc::clone);
        let entry = entry.ok_or_else(|| unknown(name))?;
        let ingest = entry
            .try_lock()
            .map_err(|_| Status::unavailable(format!("ref {name} is locked by another write")))?;
        Ok(ingest.status(name))
    }

    /// Returns the states of the writes that no call uses.
    pub(super) fn statuses(&self) -> Vec<WriteStatus> {
        let by_ref = self.by_ref();
        let idle = by_ref
            .iter()
            .filter_map(|(name, entry)| Some(entry.try_lock().ok()?.status(name)));
        idle.collect()
    }

    fn by_ref(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.by_ref.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(name: &str) -> Status {
    Status::not_found(format!("ref {name:?}: not found"))
}

/// An unfinished write.
pub(super) struct Ingest {
    directory: Arc<OwnedFd>,
    /// Name of the file; `None` once it is the file of a blob.
    file_name: Option<String>,
    file: File,
    hash: Sha256,
    /// Number of bytes that were written.
    pub(super) offset: u64,
    /// Expected size; 0 if it is not known.
    pub(super) total: u64,
    pub(super) started: SystemTime,
    pub(super) updated: SystemTime,
}

impl Ingest {
    fn create(directory: &Arc<OwnedFd>) -> io::Result<Self> {
        let name = new_id();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let file = openat(directory, &*name, flags, mode)?;
        let now = SystemTime::now();
        Ok(Self {
            directory: Arc::clone(directory),
            file_name: Some(name),
            file: file.into(),
            hash: Sha256::new(),
            offset: 0,
            total: 0,
            started: now,
            updated: now,
        })
    }

    /// Returns the digest of what was written.
    pub(super) fn digest(&self) -> BlobDigest {
        BlobDigest::of(self.hash.clone())
    }

    /// Removes everything that was written.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        io::Seek::rewind(&mut self.file)?;
        self.hash = Sha256::new();
        self.offset = 0;
        Ok(())
    }

    /// Appends data.
    pub(super) fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(data) {
            // A part may have been written, which the hash does not include.
            let _ = self.restart();
            return Err(error);
        }
        self.hash.update(data);
        self.offset += data.len() as u64;
        self.updated = SystemTime::now();
        Ok(())
    }

    /// Makes the file the blob with the digest of its content.
    pub(super) fn commit(&mut self, blobs: &OwnedFd) -> io::Result<()> {
        let Some(name) = &self.file_name else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        // As in the stores of containerd, blobs are read-only.
        let mode = self.file.metadata()?.permissions().mode() & 0o444;
        self.file.set_permissions(Permissions::from_mode(mode))?;
        // The index must not name a blob that a power failure removes.
        self.file.sync_all()?;
        let digest = BlobDigest::of(self.hash.clone());
        renameat(&self.directory, &**name, blobs, digest.file())?;
        self.file_name = None;
        Ok(())
    }

    fn status(&self, name: &str) -> WriteStatus {
        WriteStatus {
            started_at: Some(timestamp(self.started)),
            updated_at: Some(timestamp(self.updated)),
            r#ref: name.to_owned(),
            offset: self.offset.try_into().unwrap_or(i64::MAX),
            total: self.total.try_into().unwrap_or(i64::MAX),
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        if let Some(name) = &self.file_name {
            // Nothing else can be done about a file that cannot be removed.
            let _ = unlinkat(&self.directory, &**name, AtFlags::empty());
        }
    }
}
