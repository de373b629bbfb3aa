//! Files that replace existing files only after they are complete.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use tokio::io::AsyncWrite;

use crate::error::{BuildError, FileKind};

/// A stream to a destination on the client.
pub(super) type Stream = Box<dyn AsyncWrite + Send + Unpin>;

/// Returns standard output.
#[expect(
    clippy::disallowed_methods,
    reason = "a result is a stream of bytes, which is written unchanged"
)]
pub(super) fn standard_output() -> Stream {
    Box::new(tokio::io::stdout()) // a stream of bytes
}

/// A file with a temporary name, beside the file that it will replace. Dropping it removes the file.
pub(super) struct Temporary {
    temporary: TempPath,
    path: PathBuf,
}

impl Temporary {
    /// Creates the temporary file for a result.
    pub(super) fn beside(path: &Path) -> Result<(Self, Stream), BuildError> {
        let (file, temporary) = create(path)
            .map_err(|error| unwritable(FileKind::Output, path, &error))?
            .into_parts();
        let path = path.to_owned();
        let stream = Box::new(tokio::fs::File::from_std(file));
        Ok((Self { temporary, path }, stream))
    }

    /// Renames the file to its final name.
    pub(super) fn complete(self) -> Result<(), BuildError> {
        let Self { temporary, path } = self;
        temporary
            .persist(&path)
            .map_err(|error| unwritable(FileKind::Output, &path, &error.error))
    }
}

/// Writes a file completely, or leaves it unchanged.
pub(super) fn write_whole(kind: FileKind, path: &Path, contents: &[u8]) -> Result<(), BuildError> {
    let write = || {
        let mut file = create(path)?;
        file.write_all(contents)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| unwritable(kind, path, &error))
}

fn create(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".iechor-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)
}

fn unwritable(kind: FileKind, path: &Path, error: &std::io::Error) -> BuildError {
    BuildError::File {
        kind,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
