//! Errors of builds. `mistake` collects those of the settings.

mod mistake;

use std::fmt;
use std::path::PathBuf;

use iechor_builder::BuilderError;
use iechor_builder::node::watch::Incident;
use iechor_images::ImageError;
use iechor_registry::ArtifactError;

use crate::deliver::load::error::ArchiveError;
use crate::plan::error::PlanError;
use crate::spec::Entitlement;
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
    /// BuildKit ended, or does not respond, because something happened to its container.
    #[error("failed to build: lost the connection to BuildKit: {incident}")]
    Lost {
        /// What happened.
        incident: Incident,
    },
    /// The build failed on one of several nodes.
    #[error("{error}")]
    Node {
        /// The node.
        node: String,
        /// The nodes whose parts were cancelled.
        cancelled: Vec<String>,
        /// The failure.
        error: Box<Self>,
    },
    /// The index of an image from several nodes cannot be created or pushed.
    #[error("cannot push the index of {name}: {reason}")]
    Index {
        /// The name of the image.
        name: String,
        /// The cause.
        reason: Box<IndexProblem>,
    },
    /// BuildKit does not allow an entitlement of the build.
    #[error("failed to build: failed to solve: {error}")]
    Entitlement {
        /// The entitlement.
        entitlement: Entitlement,
        /// The node.
        node: String,
        /// The answer of BuildKit, or the one that it would give.
        error: Box<iechor_buildkit::SolveError>,
    },
    /// The build failed on the daemon, because a file is not part of the context.
    #[error("failed to build: {error}")]
    MissingFile {
        /// The failure of the build.
        error: iechor_buildkit::Error,
        /// The file.
        missing: MissingFile,
    },
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

/// The reason why the index of an image cannot be created or pushed.
#[derive(Debug, thiserror::Error)]
pub enum IndexProblem {
    /// The registry failed, or a part cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The name cannot be used.
    #[error(transparent)]
    Name(#[from] ArtifactError),
    /// The credentials of the registry cannot be read.
    #[error("{0}")]
    Credentials(String),
    /// BuildKit did not state the digest of a part.
    #[error("BuildKit of node {node} did not state the digest of its part")]
    NoDigest {
        /// The node.
        node: String,
    },
}

impl From<BuilderError> for BuildError {
    fn from(error: BuilderError) -> Self {
        Self::Builder(Box::new(error))
    }
}

/// A file that a Dockerfile needs and that is not part of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFile {
    /// Path relative to the context.
    pub path: String,
    /// The reason.
    pub reason: Absence,
}

/// The reason why a file is not part of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// A line of an ignore file excludes it.
    Excluded {
        /// The ignore file.
        file: PathBuf,
        /// Number of the line, counted from 1.
        line: usize,
        /// The line.
        pattern: String,
    },
    /// The file does not exist, and no ignore file excludes it.
    NotThere {
        /// The directory of the context.
        context: PathBuf,
    },
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
    /// Returns the failure of the node, if it is one of several.
    pub fn of_node(&self) -> &Self {
        match self {
            Self::Node { error, .. } => error,
            other => other,
        }
    }

    /// Returns whether the user cancelled.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Builder(error) | Self::HostGateway(error) => error.is_cancelled(),
            Self::Solve(error) => matches!(error, iechor_buildkit::Error::Cancelled),
            Self::Node { error, .. } => error.is_cancelled(),
            _ => false,
        }
    }

    /// Adds the file that caused the failure of a build, if it is known.
    pub(crate) fn because_of(self, missing: Option<MissingFile>) -> Self {
        match (self, missing) {
            (Self::Solve(error), Some(missing)) => Self::MissingFile { error, missing },
            (other, _) => other,
        }
    }
}
