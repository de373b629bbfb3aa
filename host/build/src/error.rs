//! Errors of builds. `mistake` collects those of the settings.

mod mistake;

use std::fmt;
use std::path::PathBuf;

use iechor_builder::BuilderError;

use crate::deliver::load::error::ArchiveError;
use crate::plan::error::PlanError;
use crate::spec::error::SpecError;

pub use mistake::{Mistake, Mistakes};

/// A failure of a build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The specification of the build is invalid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Settings are wrong; at least one.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// An error of the builder, one of its nodes or an engine.
    #[error(transparent)]
    Builder(Box<BuilderError>),
    /// The driver does not know the address of the host machine.
    // docker buildx begins with the same.
    #[error("unable to derive the IP value for host-gateway: {0}")]
    HostGateway(Box<BuilderError>),
    /// The build failed on the daemon, or the connection to the daemon was lost.
    #[error("failed to build: {0}")]
    Solve(iechor_buildkit::Error),
    /// The daemon supports only one output.
    #[error("multiple outputs are not supported by this BuildKit")]
    SeveralOutputs,
    /// The engine cannot load an image with several platforms.
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
            Self::Builder(error) | Self::HostGateway(error) => error.is_cancelled(),
            Self::Solve(error) => matches!(error, iechor_buildkit::Error::Cancelled),
            _ => false,
        }
    }
}
