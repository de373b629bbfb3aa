//! Files that results are written to, at a path that the user gives and that may lead to anything.
//!
//! A regular file gets its new content at once, after the content is complete, and keeps its mode, its
//! owner and its other names. Anything else, such as a device, is opened and written to. Symbolic links
//! are followed.
//!
//! ```
//! # use std::io::Write as _;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("out.tar");
//! use iechor_files::output::Target;
//!
//! match Target::open(&path)? {
//!     Target::Regular(output) => {
//!         output.writer()?.write_all(b"content")?;
//!         output.complete()?;
//!     }
//!     Target::Device(mut device) => device.write_all(b"content")?,
//!     Target::Pipe(path) => println!("{} waits for a reader", path.display()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::place::LINKS;
use crate::{FileError, check, kind};

/// Prefix of the names of temporary files.
const PREFIX: &str = ".iechor-";

/// Maximum size of the names of a file's attributes that are looked at, in bytes.
const ATTRIBUTES: usize = 4096;

/// The file at a path, opened for a result.
#[derive(Debug)]
pub enum Target {
    /// A regular file, or a path without a file.
    Regular(Output),
    /// A named pipe. Opening it blocks until another program reads it, so it is not open.
    Pipe(PathBuf),
    /// A device, open for writing.
    Device(File),
}

impl Target {
    /// Opens the file at a path for a result. Does not change it, and does not block.
    ///
    /// # Errors
    ///
    /// Returns an error if the path leads to a directory or a socket, or the file cannot be written.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::Regular(Output::create(follow(path)?.place)?));
            }
            Err(error) => return Err(error.into()),
        };
        let file_type = metadata.file_type();
        if file_type.is_dir() || file_type.is_socket() {
            return Err(FileError::NotRegular(kind(file_type)));
        }
        if file_type.is_fifo() {
            return Ok(Self::Pipe(path.to_owned()));
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::options()
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(path)?;
        // Only this is decisive, because the path may lead elsewhere now.
        let metadata = file.metadata()?;
        if metadata.is_file() {
            let output = Output::replace(follow(path)?, file, &metadata)?;
            return Ok(Self::Regular(output));
        }
        if metadata.file_type().is_fifo() {
            return Ok(Self::Pipe(path.to_owned()));
        }
        let flags = rustix::fs::fcntl_getfl(&file).map_err(io::Error::from)?;
        rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(io::Error::from)?;
        Ok(Self::Device(file))
    }
}

/// A regular file that gets its content when the content is complete. Dropping it changes nothing.
#[derive(Debug)]
pub struct Output {
    content: Content,
    /// The file that exists already.
    existing: Option<File>,
}

/// The new content of a file.
#[derive(Debug)]
enum Content {
    /// A file that can replace the one at a path.
    Beside(NamedTempFile, PathBuf),
    /// A file without a name, whose content is copied.
    Apart(File),
}

impl Output {
    fn create(place: PathBuf) -> io::Result<Self> {
        let temporary = beside(&place, 0o666)?;
        Ok(Self {
            content: Content::Beside(temporary, place),
            existing: None,
        })
    }

    fn replace(found: Found, file: File, metadata: &Metadata) -> io::Result<Self> {
        let content = match replacement(&found, &file, metadata) {
            Some(temporary) => Content::Beside(temporary, found.place),
            None => Content::Apart(apart(&found.place)?),
        };
        Ok(Self {
            content,
            existing: Some(file),
        })
    }

    /// Returns the file to write the content to.
    ///
    /// # Errors
    ///
    /// Returns an error if too many files are open.
    pub fn writer(&self) -> io::Result<File> {
        match &self.content {
            Content::Beside(temporary, _) => temporary.as_file().try_clone(),
            Content::Apart(file) => file.try_clone(),
        }
    }

    /// Gives the file its new content.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be replaced and its content cannot be written either.
    pub fn complete(self) -> io::Result<()> {
        let mut content = match self.content {
            Content::Beside(temporary, place) => match (&self.existing, fs::metadata(&place)) {
                (None, Ok(metadata)) if !metadata.is_file() => {
                    return Err(FileError::NotRegular(kind(metadata.file_type())).into());
                }
                (existing, _) => match temporary.persist(&place) {
                    Ok(_) => return Ok(()),
                    // A mount point, for example, cannot be replaced.
                    Err(refused) if existing.is_some() => refused.file.into_file(),
                    Err(refused) => return Err(refused.error),
                },
            },
            Content::Apart(file) => file,
        };
        match self.existing {
            Some(mut existing) => copy(&mut content, &mut existing),
            None => Ok(()),
        }
    }
}

/// Replaces the content of a regular file, or creates the file.
///
/// # Errors
///
/// Returns an error if the path leads to something else, which stays unchanged, or the file cannot be
/// written.
pub fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    match Target::open(path)? {
        Target::Regular(output) => {
            output.writer()?.write_all(content)?;
            Ok(output.complete()?)
        }
        Target::Pipe(_) => Err(FileError::NotRegular("a named pipe")),
        Target::Device(_) => Err(FileError::NotRegular("a device")),
    }
}

/// Checks that a path leads to a regular file or to nothing.
///
/// # Errors
///
/// Returns an error if it leads to something else, or cannot be followed.
pub fn check_regular(path: &Path) -> Result<(), FileError> {
    match fs::metadata(path) {
        Ok(metadata) => check(&metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes the regular file at a path, if there is one. Symbolic links stay. A file that has other names
/// or cannot be removed becomes empty instead.
///
/// # Errors
///
/// Returns an error if the path leads to something other than a regular file, which stays unchanged, or
/// the file can neither be removed nor changed.
pub fn forget(path: &Path) -> Result<(), FileError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    check(&metadata)?;
    let found = follow(path)?;
    if metadata.nlink() == 1 && !found.is_open_file && fs::remove_file(&found.place).is_ok() {
        return Ok(());
    }
    let file = File::options()
        .write(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32)
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file.set_len(0)?)
}

/// Directories that were created for a file. Dropping this removes those that are empty.
#[derive(Debug, Default)]
pub struct Directories(Vec<PathBuf>);

impl Directories {
    /// Creates the missing directories above a file.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn above(path: &Path) -> io::Result<Self> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut next = path.parent();
        while let Some(directory) = next.filter(|directory| !directory.as_os_str().is_empty()) {
            if directory.exists() {
                break;
            }
            missing.push(directory);
            next = directory.parent();
        }
        let mut created = Self::default();
        for directory in missing.into_iter().rev() {
            match DirBuilder::new().mode(0o755).create(directory) {
                Ok(()) => created.0.push(directory.to_owned()),
                // Another process created it at the same time.
                Err(_) if directory.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(created)
    }

    /// Keeps the directories.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Directories {
    fn drop(&mut self) {
        for directory in self.0.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Returns an error of the crate `tempfile` without the name of the temporary file.
pub fn without_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((reason, _)) => io::Error::new(error.kind(), reason.to_owned()),
        None => error,
    }
}

/// The end of symbolic links.
struct Found {
    place: PathBuf,
    /// Whether a link of `/proc` leads there: to a file that a process has open.
    is_open_file: bool,
}

/// Follows symbolic links at the end of a path. The last one may lead to nothing.
fn follow(path: &Path) -> io::Result<Found> {
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&place) else {
            let is_open_file = false;
            return Ok(Found {
                place,
                is_open_file,
            });
        };
        let directory = directory_of(&place);
        if fs::canonicalize(directory).is_ok_and(|directory| directory.starts_with("/proc")) {
            let is_open_file = true;
            return Ok(Found {
                place,
                is_open_file,
            });
        }
        place = directory.join(target);
    }
    Err(Errno::LOOP.into())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Returns a file that can replace an existing one without changing anything but its content, or `None`
/// if there cannot be one.
fn replacement(found: &Found, file: &File, metadata: &Metadata) -> Option<NamedTempFile> {
    let is_same = fs::symlink_metadata(&found.place)
        .is_ok_and(|place| (place.dev(), place.ino()) == (metadata.dev(), metadata.ino()));
    if found.is_open_file || !is_same || metadata.nlink() > 1 || has_attributes(file) {
        return None;
    }
    let temporary = beside(&found.place, 0o600).ok()?;
    let new = temporary.as_file();
    let own = new.metadata().ok()?;
    if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
        let owner = Some(Uid::from_raw(metadata.uid()));
        rustix::fs::fchown(new, owner, Some(Gid::from_raw(metadata.gid()))).ok()?;
    }
    rustix::fs::fchmod(new, Mode::from_raw_mode(metadata.mode() & 0o7777)).ok()?;
    Some(temporary)
}

/// Returns whether a file has attributes, such as access control lists, that another file would lack.
fn has_attributes(file: &File) -> bool {
    let mut names = [0; ATTRIBUTES];
    match rustix::fs::flistxattr(file, &mut names) {
        Ok(length) => names[..length]
            .split(|byte| *byte == 0)
            // Every new file gets this one from its directory.
            .any(|name| !name.is_empty() && name != b"security.selinux"),
        Err(error) => error == Errno::RANGE,
    }
}

fn beside(place: &Path, mode: u32) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(directory_of(place))
        .map_err(without_name)
}

/// Returns a file without a name, in the directory of a file if that is possible.
fn apart(place: &Path) -> io::Result<File> {
    tempfile::tempfile_in(directory_of(place))
        .or_else(|_| tempfile::tempfile())
        .map_err(without_name)
}

fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    let length = from.metadata()?.len();
    // A full disk must not destroy the old content. Some file systems cannot reserve space.
    let reserved = rustix::fs::fallocate(&*to, FallocateFlags::KEEP_SIZE, 0, length.max(1));
    if reserved == Err(Errno::NOSPC) {
        return Err(Errno::NOSPC.into());
    }
    from.rewind()?;
    to.rewind()?;
    let copied = io::copy(from, to)?;
    to.set_len(copied)
}

#[cfg(test)]
mod tests;
