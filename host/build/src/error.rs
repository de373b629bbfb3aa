//! What can go wrong with a build.

use std::fmt;
use std::path::PathBuf;

use iechor_builder::BuilderError;

use crate::deliver::load::error::ArchiveError;
use crate::plan::error::PlanError;
use crate::spec::error::SpecError;

/// A failure of a build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The build cannot work as it is specified.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The builder, one of its nodes or an engine.
    #[error(transparent)]
    Builder(Box<BuilderError>),
    /// The build failed on the daemon, or the daemon could not be reached any more.
    #[error("failed to build: {0}")]
    Solve(iechor_buildkit::Error),
    /// The daemon exports one result only.
    #[error("multiple outputs are not supported by this BuildKit")]
    SeveralOutputs,
    /// The engine cannot load an image with several platforms.
    #[error("docker exporter does not currently support exporting manifest lists")]
    ManifestList,
    /// An image from the daemon is not loaded.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The task that loads an image ended without a result.
    #[error("cannot load the image: {reason}")]
    Load {
        /// Why it ended.
        reason: String,
    },
    /// The ID of this machine, which transfers of directories are compared by, cannot be read or
    /// written.
    #[error("cannot use the ID of this machine in {}: {reason}", .path.display())]
    MachineId {
        /// The file with the ID.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write {kind} {}: {reason}", .path.display())]
    File {
        /// What the file is for.
        kind: FileKind,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl From<BuilderError> for BuildError {
    fn from(error: BuilderError) -> Self {
        Self::Builder(Box::new(error))
    }
}

/// What a file of a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A result.
    Output,
    /// The metadata of a result.
    Metadata,
    /// The ID of an image.
    ImageId,
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Output => "output",
            Self::Metadata => "metadata file",
            Self::ImageId => "image ID file",
        })
    }
}

impl BuildError {
    /// Returns whether the user cancelled.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Builder(error) => error.is_cancelled(),
            Self::Solve(error) => matches!(error, iechor_buildkit::Error::Cancelled),
            _ => false,
        }
    }
}
