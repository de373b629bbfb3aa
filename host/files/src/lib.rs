//! Reads files that a user, a lock file or a configuration names, and writes whole files.
//!
//! Such a name may lead to an endless device (`/dev/zero`), to a named pipe, which blocks until
//! another program writes to it, or to a file that is replaced between two accesses. A file is therefore
//! opened without blocking, must be a regular file after it was opened, and is read up to a limit.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("driver.wasm");
//! # std::fs::write(&path, b"bytes")?;
//! let bytes = iechor_files::read(&path, 64 << 20)?;
//!
//! // If you need more than the bytes:
//! let file = iechor_files::open(&path)?;
//! let real = file.real_path()?;
//! let bytes = file.read(64 << 20)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`pem`] checks files of certificates and keys.
//! - [`output`] writes results to whatever a path leads to; [`place`] compares the places of paths.
//! - [`replace()`] writes whole files; [`directory`] is a private directory with a lock for writers.

pub mod directory;
pub mod output;
mod owner;
pub mod pem;
pub mod place;
mod replace;

pub use directory::{Directory, DirectoryError, Locked};
pub use owner::Owner;
pub use replace::{Replacement, replace};

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use iechor_values::size;
use rustix::fs::OFlags;

/// The reason why a file cannot be read. The message does not name the file; the caller adds it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system returned an error.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The path does not lead to a regular file.
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    /// The file exceeds the limit of the caller, in bytes.
    #[error("it has more than {}", size::exact(*.0))]
    TooLarge(u64),
    /// The file does not contain UTF-8 text.
    #[error("it is not UTF-8 text")]
    NotText,
}

impl FileError {
    /// Returns whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::System(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    metadata: Metadata,
}

/// Opens a regular file without blocking. Follows symbolic links.
///
/// # Errors
///
/// Returns an error if the file cannot be opened or is not a regular file.
pub fn open(path: &Path) -> Result<RegularFile, FileError> {
    // Opening a device can have side effects, so this check comes before opening.
    check(&fs::metadata(path)?)?;
    let file = File::options()
        .read(true)
        // Without NONBLOCK, opening a named pipe blocks until another program opens it for writing. It also
        // prevents blocking reads: `/proc/kmsg` reports that it is a regular file.
        .custom_flags(OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32)
        .open(path)?;
    // Only this check is decisive, because the path may lead elsewhere now.
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok(RegularFile { file, metadata })
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
///
/// Returns the errors of [`open`] and [`RegularFile::read`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    open(path)?.read(limit)
}

/// Reads a regular file of at most `limit` bytes of text.
///
/// # Errors
///
/// Returns the errors of [`read`], and an error if the file is not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::NotText)
}

impl RegularFile {
    /// Returns the metadata of the file at the time when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the path of the opened file, without symbolic links.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system does not report the path.
    pub fn real_path(&self) -> Result<PathBuf, FileError> {
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(fs::read_link(link)?)
    }

    /// Reads the whole file, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the file has more bytes (also if it grows while it is read, or does not report
    /// its size), and if reading fails or would block.
    pub fn read(self, limit: u64) -> Result<Vec<u8>, FileError> {
        if self.metadata.len() > limit {
            return Err(FileError::TooLarge(limit));
        }
        let expected = usize::try_from(self.metadata.len()).unwrap_or_default();
        let mut bytes = Vec::with_capacity(expected);
        // One more byte than the limit distinguishes a file of that size from a larger one.
        self.file
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(FileError::TooLarge(limit));
        }
        Ok(bytes)
    }
}

fn check(metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(FileError::NotRegular(kind(metadata.file_type())))
    }
}

fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "a directory"
    } else if of.is_fifo() {
        "a named pipe"
    } else if of.is_socket() {
        "a socket"
    } else if of.is_char_device() || of.is_block_device() {
        "a device"
    } else {
        "something unknown"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn refusal(path: &Path) -> String {
        read(path, 8).expect_err("it was read").to_string()
    }

    #[test]
    fn a_regular_file_is_read_through_links() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().canonicalize().expect("there");
        fs::write(root.join("real"), "12345678").expect("written");
        symlink("real", root.join("link")).expect("linked");
        let file = open(&root.join("link")).expect("a file");
        assert_eq!(file.real_path().expect("known"), root.join("real"));
        assert_eq!(file.read(8).expect("read"), b"12345678");
        let text = read_to_string(&root.join("real"), 8).expect("text");
        assert_eq!(text, "12345678");
    }

    #[test]
    fn what_has_too_many_bytes_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "123456789").expect("written");
        assert_eq!(refusal(&path), "it has more than 8 B");
        // The file grows after it was opened.
        fs::write(&path, "1").expect("written");
        let file = open(&path).expect("a file");
        fs::write(&path, "123456789").expect("written");
        assert!(matches!(file.read(8), Err(FileError::TooLarge(8))));
        // The file does not report its size.
        assert_eq!(
            refusal(Path::new("/proc/self/maps")),
            "it has more than 8 B"
        );
        // No memory is reserved for the reported size of a sparse file.
        File::create(&path)
            .and_then(|file| file.set_len(1 << 40))
            .expect("made");
        assert_eq!(
            read(&path, 64 << 20).expect_err("too large").to_string(),
            "it has more than 64 MiB"
        );
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        mkfifoat(CWD, path("pipe"), Mode::RWXU).expect("made");
        let _socket = UnixListener::bind(path("socket")).expect("bound");
        symlink("/dev/zero", path("device")).expect("linked");
        symlink("loop", path("loop")).expect("linked");
        for (path, words) in [
            (path("pipe"), "it is a named pipe, not a regular file"),
            (path("socket"), "it is a socket, not a regular file"),
            (path("device"), "it is a device, not a regular file"),
            (path("."), "it is a directory, not a regular file"),
            (path("loop"), "symbolic links"),
            (path("none"), "No such file"),
        ] {
            let error = refusal(&path);
            assert!(error.contains(words), "{error}");
        }
        assert!(read(&path("none"), 8).expect_err("none").is_not_found());
    }

    /// The path leads to a file at the first check, and to a pipe when it is opened.
    #[test]
    fn what_was_opened_counts_and_not_what_the_path_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let (file, pipe) = (
            directory.path().join("regular"),
            directory.path().join("pipe"),
        );
        fs::write(&file, "1").expect("written");
        mkfifoat(CWD, &pipe, Mode::RWXU).expect("made");
        symlink(&file, &path).expect("linked");
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let swapping = {
            let path = path.clone();
            let beside = directory.path().join("beside");
            std::thread::spawn(move || {
                while matches!(
                    stopped.try_recv(),
                    Err(std::sync::mpsc::TryRecvError::Empty)
                ) {
                    for target in [&pipe, &file] {
                        symlink(target, &beside).expect("linked");
                        fs::rename(&beside, &path).expect("renamed");
                    }
                }
            })
        };
        for _ in 0..20_000 {
            match read(&path, 8) {
                Ok(bytes) => assert_eq!(bytes, b"1"),
                Err(error) => assert!(matches!(error, FileError::NotRegular(_)), "{error}"),
            }
        }
        drop(stop);
        swapping.join().expect("ended");
    }

    #[test]
    fn text_has_to_be_text() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, b"\xff").expect("written");
        assert!(matches!(read_to_string(&path, 8), Err(FileError::NotText)));
    }
}
