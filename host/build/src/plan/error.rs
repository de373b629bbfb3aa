//! Why a build cannot work as it is specified.

use std::fmt;
use std::path::PathBuf;

/// Why a build cannot work as it is specified. Found before a daemon is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The context does not exist.
    // docker buildx prints the same.
    #[error("unable to prepare context: path {path:?} not found")]
    ContextNotFound {
        /// The context.
        path: PathBuf,
    },
    /// The context is a file.
    #[error("unable to prepare context: path {path:?} is not a directory")]
    ContextNotDirectory {
        /// The context.
        path: PathBuf,
    },
    /// The Dockerfile cannot be read.
    #[error("cannot read Dockerfile {}: {reason}", .path.display())]
    Dockerfile {
        /// The Dockerfile.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The builder has no nodes.
    #[error("builder {builder} has no nodes")]
    NoNodes {
        /// The builder.
        builder: String,
    },
    /// The driver of the node cannot do this.
    #[error("{ability} is not supported for the {driver} driver")]
    Unsupported {
        /// What is missing.
        ability: Ability,
        /// The driver.
        driver: String,
        /// Whether the driver builds into the images of the engine.
        builds_into_engine: bool,
    },
    /// Several outputs write to standard output.
    // docker buildx prints the same.
    #[error("multiple outputs configured to write to stdout")]
    SeveralToStdout,
    /// An archive would be written to a terminal.
    // docker buildx prints the same.
    #[error("dest file is required for {kind} exporter. refusing to write to console")]
    ToConsole {
        /// The exporter.
        kind: &'static str,
    },
    /// An image without a name is to be pushed.
    // docker buildx prints the same.
    #[error("tag is needed when pushing to registry")]
    NoTag,
    /// The directory of an output is a file.
    // docker buildx prints the same.
    #[error("destination directory {} is a file", .path.display())]
    DirectoryIsFile {
        /// The path.
        path: PathBuf,
    },
    /// The file of an output is a directory.
    // docker buildx prints the same.
    #[error("destination file {} is a directory", .path.display())]
    FileIsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The ID of an image is requested, but there is an output that has none.
    // docker buildx prints the same.
    #[error("local and tar exporters are incompatible with image ID file")]
    NoImageId,
}

/// What a driver may not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Archives with an OCI layout.
    Oci,
    /// Archives for `docker load`.
    Docker,
    /// Several platforms in one image.
    MultiPlatform,
    /// Images that are pushed without tags.
    PushByDigest,
}

impl fmt::Display for Ability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // docker buildx prints the first three.
        formatter.write_str(match self {
            Self::Oci => "OCI exporter",
            Self::Docker => "Docker exporter",
            Self::MultiPlatform => "Multi-platform build",
            Self::PushByDigest => "push-by-digest",
        })
    }
}
