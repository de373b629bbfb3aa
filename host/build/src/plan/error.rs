//! Errors of plans.

use std::fmt;
use std::path::PathBuf;

use crate::setting::Setting;

/// A fault of a build that is found before a request is sent to a daemon.
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
        /// The cause.
        reason: String,
    },
    /// The builder has no nodes.
    #[error("builder {builder} has no nodes")]
    NoNodes {
        /// The builder.
        builder: String,
    },
    /// The driver of the node does not support an ability.
    #[error("{ability} is not supported for the {driver} driver")]
    Unsupported {
        /// The missing ability.
        ability: Ability,
        /// The driver.
        driver: String,
        /// Whether the driver builds into the engine's image store.
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
    /// An image to push has no name.
    // docker buildx prints the same.
    #[error("tag is needed when pushing to registry")]
    NoTag,
    /// The destination directory of an output is a file.
    // docker buildx prints the same.
    #[error("destination directory {} is a file", .path.display())]
    DirectoryIsFile {
        /// The path.
        path: PathBuf,
    },
    /// The destination file of an output is a directory.
    // docker buildx prints the same.
    #[error("destination file {} is a directory", .path.display())]
    FileIsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The ID of an image is requested, but an output produces no image.
    // docker buildx prints the same.
    #[error("local and tar exporters are incompatible with image ID file")]
    NoImageId,
}

impl PlanError {
    /// Returns the setting with the fault.
    pub fn setting(&self) -> Setting {
        match self {
            Self::ContextNotFound { .. } | Self::ContextNotDirectory { .. } => Setting::Context,
            Self::Dockerfile { .. } => Setting::File,
            Self::NoNodes { .. } => Setting::Builder,
            Self::Unsupported {
                ability: Ability::MultiPlatform,
                ..
            } => Setting::Platform,
            Self::NoTag => Setting::Tag,
            Self::NoImageId => Setting::IidFile,
            Self::Unsupported { .. }
            | Self::SeveralToStdout
            | Self::ToConsole { .. }
            | Self::DirectoryIsFile { .. }
            | Self::FileIsDirectory { .. } => Setting::Output,
        }
    }
}

/// An ability that some drivers lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Archives with an OCI layout.
    Oci,
    /// Archives for `docker load`.
    Docker,
    /// Several platforms in one image.
    MultiPlatform,
    /// Pushing images without tags.
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
