//! Errors of builds.

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
    /// The specification of the build is invalid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An error of the builder, one of its nodes or an engine.
    #[error(transparent)]
    Builder(Box<BuilderError>),
    /// The build failed on the daemon, or the connection to the daemon was lost.
    #[error("failed to build: {0}")]
    Solve(iechor_buildkit::Error),
    /// The daemon supports only one output.
    // docker buildx prints the same.
    #[error(
        "multiple outputs currently unsupported by the current BuildKit daemon, please upgrade to \
         version v0.13+ or use a single output"
    )]
    SeveralOutputs,
    /// The daemon does not support attestations.
    // docker buildx prints the same.
    #[error("Attestations are not supported by the current BuildKit daemon")]
    Attestations,
    /// The engine cannot load an image with several manifests.
    // docker buildx prints the same.
    #[error("docker exporter does not currently support exporting manifest lists")]
    ManifestList,
    /// An image from the daemon was refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The task that loads an image ended without a result.
    #[error("cannot load the image: {reason}")]
    Load {
        /// The cause.
        reason: String,
    },
    /// The ID of this machine, which identifies transfers of the same directory, cannot be read or
    /// written.
    #[error("cannot use the ID of this machine in {}: {reason}", .path.display())]
    MachineId {
        /// The file with the ID.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The directory of a local cache cannot be used.
    #[error("cannot use the cache {}: {reason}", .path.display())]
    LocalCache {
        /// The directory.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write {kind} {}: {reason}", .path.display())]
    File {
        /// The purpose of the file.
        kind: FileKind,
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
}

impl From<BuilderError> for BuildError {
    fn from(error: BuilderError) -> Self {
        Self::Builder(Box::new(error))
    }
}

/// The purpose of a file of a build.
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
