//! Files as destinations of results.

use std::path::{Path, PathBuf};

use iechor_files::FileError;
use iechor_files::output::{self, Directories, Output, Target};
use tokio::io::AsyncWrite;

use super::pipe::Pipe;
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

/// A result that is being written to a file. Dropping it leaves the file unchanged, unless the file is not
/// a regular one.
pub(super) struct ToFile {
    path: PathBuf,
    /// A regular file; `None` for a device or a pipe, to which the result is written directly.
    output: Option<Output>,
    directories: Directories,
}

impl ToFile {
    /// Opens the file at a path, and creates the missing directories above it.
    pub(super) fn open(path: &Path) -> Result<(Self, Stream), BuildError> {
        let open = || -> Result<_, FileError> {
            let directories = Directories::above(path)?;
            let (output, stream): (_, Stream) = match Target::open(path)? {
                Target::Regular(output) => {
                    let writer = tokio::fs::File::from_std(output.writer()?);
                    (Some(output), Box::new(writer))
                }
                Target::Device(device) => (None, Box::new(tokio::fs::File::from_std(device))),
                Target::Pipe(path) => (None, Box::new(Pipe::at(path))),
            };
            Ok((output, stream, directories))
        };
        let (output, stream, directories) =
            open().map_err(|error| unwritable(FileKind::Output, path, &error))?;
        let path = path.to_owned();
        let file = Self {
            path,
            output,
            directories,
        };
        Ok((file, stream))
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Gives a regular file its new content.
    pub(super) async fn complete(self) -> Result<(), BuildError> {
        let Self {
            path,
            output,
            directories,
        } = self;
        if let Some(output) = output {
            // A file that cannot be replaced is copied, which may take long.
            let completed = tokio::task::spawn_blocking(move || output.complete()).await;
            let completed = completed.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
            completed.map_err(|error| unwritable(FileKind::Output, &path, &error.into()))?;
        }
        directories.keep();
        Ok(())
    }
}

/// Writes a file about a result, which has to be a regular file.
pub(super) fn write_whole(kind: FileKind, path: &Path, contents: &[u8]) -> Result<(), BuildError> {
    output::write(path, contents).map_err(|error| unwritable(kind, path, &error))
}

pub(super) fn unwritable(kind: FileKind, path: &Path, error: &FileError) -> BuildError {
    BuildError::File {
        kind,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
