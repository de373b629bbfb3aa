//! A directory with blobs, as in the OCI image layout: `blobs/sha256/<digits>`.
//!
//! The directories are opened when the store is, and everything else happens below these open directories:
//! what the daemon sends afterwards cannot redirect a path.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::digest::BlobDigest;
use super::ingest::Ingests;

/// Amount of data that is hashed at a time, in bytes. A cancelled call stops after it.
const HASHED_AT_ONCE: usize = 1 << 20;

/// A directory with blobs that the daemon may read, or read and add to.
///
/// The daemon can read blobs and nothing else: every blob is compared with its digest before it is read.
/// Blobs are added under the digest of what has arrived, and only as a whole.
#[derive(Clone)]
pub struct ContentStore(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    blobs: OwnedFd,
    /// The unfinished writes; `None` if the store is read-only.
    ingests: Option<Ingests>,
    /// The blobs whose content is known to be right, with the state of their files at that time.
    verified: Mutex<BTreeMap<BlobDigest, FileState>>,
}

/// What changes when a file is replaced or written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl ContentStore {
    /// Opens a store that the daemon may only read.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory has no `blobs/sha256`.
    pub fn read_only(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref();
        let blobs = open_directory(&blobs_of(directory))?;
        let ingests = None;
        Ok(Self::new(directory, blobs, ingests))
    }

    /// Opens a store that the daemon may read and add blobs to. Creates the missing directories.
    ///
    /// # Errors
    ///
    /// Returns an error if the directories cannot be created or opened.
    pub fn writable(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref();
        let (blobs, ingest) = (blobs_of(directory), directory.join("ingest"));
        fs::create_dir_all(&blobs)?;
        fs::create_dir_all(&ingest)?;
        let ingests = Ingests::new(open_directory(&ingest)?);
        Ok(Self::new(directory, open_directory(&blobs)?, Some(ingests)))
    }

    fn new(directory: &Path, blobs: OwnedFd, ingests: Option<Ingests>) -> Self {
        Self(Arc::new(Inner {
            directory: directory.to_owned(),
            blobs,
            ingests,
            verified: Mutex::default(),
        }))
    }

    /// Returns whether the store has a blob with this digest.
    pub fn contains(&self, digest: &str) -> bool {
        BlobDigest::parse(digest).is_ok_and(|digest| self.open(&digest).is_ok())
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0.directory
    }

    pub(super) fn blobs(&self) -> &OwnedFd {
        &self.0.blobs
    }

    /// Returns the unfinished writes.
    ///
    /// # Errors
    ///
    /// Returns `PermissionDenied` if the store is read-only.
    pub(super) fn ingests(&self) -> Result<&Ingests, Status> {
        self.0.ingests.as_ref().ok_or_else(|| {
            let directory = self.directory().display();
            Status::permission_denied(format!("the content store {directory} is read-only"))
        })
    }

    /// Opens a blob. This may block.
    ///
    /// # Errors
    ///
    /// Returns `NotFound` if there is none.
    pub(super) fn open(&self, digest: &BlobDigest) -> Result<Blob, Status> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Status::not_found(format!("content {digest}: not found")),
            _ => Status::unknown(format!(
                "cannot read blob {digest} in {}: {error}",
                self.directory().display()
            )),
        };
        self.try_open(digest).map_err(failed)
    }

    fn try_open(&self, digest: &BlobDigest) -> io::Result<Blob> {
        let not_regular = || io::Error::other("it is not a regular file");
        // Opening a device or a named pipe can block or have side effects.
        let found = statat(&self.0.blobs, digest.file(), AtFlags::empty())?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(not_regular());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(openat(&self.0.blobs, digest.file(), flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        Ok(Blob {
            state: FileState {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            modified: metadata.modified()?,
            digest: digest.clone(),
            file: Arc::new(file),
        })
    }

    /// Checks that a blob is what its digest says, once for each state of its file: a file of this name may be
    /// anything, for example a link to another file of this machine.
    ///
    /// # Errors
    ///
    /// Returns `DataLoss` if it is not.
    pub(super) async fn verify(&self, blob: &Blob) -> Result<(), Status> {
        let verified = || {
            let verified = &self.0.verified;
            verified.lock().unwrap_or_else(PoisonError::into_inner)
        };
        if verified().get(&blob.digest) == Some(&blob.state) {
            return Ok(());
        }
        let mut hash = Sha256::new();
        let mut offset = 0;
        // A file that is longer than when it was opened is not the blob.
        while offset <= blob.size() {
            let data = blob.read_at(offset, HASHED_AT_ONCE).await?;
            if data.is_empty() {
                break;
            }
            offset += data.len() as u64;
            hash = blocking(move || {
                hash.update(&data);
                Ok(hash)
            })
            .await?;
        }
        if BlobDigest::of(hash) != blob.digest {
            return Err(Status::data_loss(format!(
                "blob {} in {} is damaged: its content has another digest",
                blob.digest,
                self.directory().display()
            )));
        }
        verified().insert(blob.digest.clone(), blob.state);
        Ok(())
    }

    /// Returns the digests of all blobs. This may block.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be read.
    pub(super) fn digests(
        &self,
    ) -> io::Result<impl Iterator<Item = io::Result<BlobDigest>> + use<>> {
        let listed = rustix::fs::Dir::read_from(self.0.blobs.as_fd())?;
        Ok(listed.filter_map(|entry| match entry {
            Ok(entry) => entry
                .file_name()
                .to_str()
                .ok()
                .and_then(BlobDigest::of_file)
                .map(Ok),
            Err(error) => Some(Err(error.into())),
        }))
    }
}

impl fmt::Debug for ContentStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ContentStore")
            .field("directory", &self.0.directory)
            .field("is_writable", &self.0.ingests.is_some())
            .finish()
    }
}

/// An open blob.
pub(super) struct Blob {
    digest: BlobDigest,
    state: FileState,
    modified: SystemTime,
    file: Arc<File>,
}

impl Blob {
    pub(super) fn size(&self) -> u64 {
        self.state.size
    }

    pub(super) fn modified(&self) -> SystemTime {
        self.modified
    }

    /// Reads at most `length` bytes. Returns nothing at the end of the blob.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub(super) async fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, Status> {
        let file = Arc::clone(&self.file);
        let digest = self.digest.clone();
        blocking(move || {
            let mut data = vec![0; length];
            let read = file
                .read_at(&mut data, offset)
                .map_err(|error| Status::unknown(format!("cannot read blob {digest}: {error}")))?;
            data.truncate(read);
            Ok(data)
        })
        .await
    }
}

/// Runs a function that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Status::internal(error.to_string()))?
}

fn blobs_of(directory: &Path) -> PathBuf {
    directory.join("blobs").join("sha256")
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}
