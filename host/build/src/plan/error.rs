//! Errors of plans.

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use iechor_buildkit::session::ssh::KeyFault;
use iechor_platform::Platform;

use crate::setting::Setting;

/// A result with a destination on the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// An output of this type.
    Output(&'static str),
    /// The metadata of the build.
    Metadata,
    /// The ID of the image.
    ImageId,
}

impl fmt::Display for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(kind) => write!(formatter, "the {kind} output"),
            Self::Metadata => formatter.write_str("the metadata"),
            Self::ImageId => formatter.write_str("the image ID"),
        }
    }
}

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
    /// The file of a secret cannot be read.
    // docker buildx begins with the same.
    #[error("failed to stat {}: {reason}", .path.display())]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A secret exceeds the maximum size of BuildKit.
    // docker buildx prints the same.
    #[error("secret {id} too big. max size 500KB")]
    LargeSecret {
        /// The ID of the secret.
        id: String,
    },
    /// An SSH agent cannot be used.
    // docker buildx begins with the same.
    #[error("failed to convert agent config for ID: {id:?}: {problem}")]
    Ssh {
        /// The ID of the agent.
        id: String,
        /// The cause.
        problem: SshFileProblem,
    },
    /// Standard input is the context and the Dockerfile.
    // docker buildx prints the same.
    #[error("invalid argument: can't use stdin for both build context and dockerfile")]
    StdinTwice,
    /// Standard input is a Dockerfile, and another Dockerfile is given.
    // docker buildx prints the same.
    #[error("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles")]
    StdinAmbiguous,
    /// Standard input is empty.
    #[error("standard input is empty, but a Dockerfile or an archive is expected")]
    StdinEmpty,
    /// Standard input cannot be read.
    #[error("cannot read standard input: {reason}")]
    Stdin {
        /// The cause.
        reason: String,
    },
    /// The directory of a named context cannot be used.
    // docker buildx begins like this.
    #[error("failed to get build context {name}: stat {}: {reason}", .path.display())]
    NamedContext {
        /// The name of the context.
        name: String,
        /// The directory.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A temporary directory cannot be created or written to.
    #[error("cannot use a temporary directory in {}: {reason}", .directory.display())]
    Temporary {
        /// The directory of temporary files.
        directory: PathBuf,
        /// The cause.
        reason: String,
    },
    /// An image in an OCI layout is not found.
    // docker buildx prints the same.
    #[error("oci-layout reference {reference:?} could not be resolved: {reason}")]
    OciLayout {
        /// The image.
        reference: String,
        /// The cause.
        reason: String,
    },
    /// The builder has no nodes.
    #[error("builder {builder} has no nodes")]
    NoNodes {
        /// The builder.
        builder: String,
    },
    /// No node builds for some platforms.
    #[error("no node of builder {builder} builds for {}: {}", list(.platforms), offers(.nodes))]
    Unmatched {
        /// The builder.
        builder: String,
        /// The platforms; at least one.
        platforms: Vec<Platform>,
        /// The nodes, and what each of them offers.
        nodes: Vec<(String, Vec<Platform>)>,
    },
    /// Several nodes build into the image stores of their engines, and cannot push one image.
    // docker buildx prints the same.
    #[error(
        "multi-node push can't currently be performed with the docker driver, please switch to a different driver"
    )]
    SeveralEnginesPush,
    /// Several nodes push differently configured images under one name or several.
    #[error(
        "several nodes can push only one image, but the outputs push several with different options"
    )]
    SeveralPushes,
    /// The nodes of a builder produce different outputs, so that they cannot be merged.
    #[error("nodes {first} and {other} do not produce the same outputs, which cannot be merged")]
    UnequalNodes {
        /// A node.
        first: String,
        /// A node with other outputs.
        other: String,
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
    /// An image with several manifests cannot be written into an archive for `docker load`.
    // docker buildx prints the same.
    #[error(
        "docker exporter does not support exporting manifest lists, use the oci exporter instead"
    )]
    ManifestListToFile,
    /// An annotation of an index, but the image has none.
    // docker buildx prints the same.
    #[error("index annotations not supported for single platform export")]
    IndexAnnotation,
    /// An output would remove files outside of the working directory.
    // docker buildx prints the same.
    #[error(
        "local output mode=delete for destination {:?} requires --allow=buildx.local.delete",
        .path.display().to_string()
    )]
    DeleteOutside {
        /// The destination.
        path: PathBuf,
    },
    /// Two results of the build have the same destination.
    #[error("{first} and {second} have the same destination: {}", .path.display())]
    SameDestination {
        /// The path of the second one.
        path: PathBuf,
        /// The result that is written there.
        first: Written,
        /// The result that would replace it.
        second: Written,
    },
    /// Several outputs write an image with an OCI layout to a directory, which BuildKit supports once.
    // docker buildx prints the same.
    #[error("oci store key \"export\" already exists")]
    SeveralLayouts,
    /// The ID of an image is requested, but an output produces no image.
    // docker buildx prints the same.
    #[error("local and tar exporters are incompatible with image ID file")]
    NoImageId,
}

/// Returns platforms in a line.
fn list(platforms: &[Platform]) -> String {
    let names: Vec<_> = platforms.iter().map(Platform::to_string).collect();
    names.join(", ")
}

/// Returns what nodes offer in a line.
fn offers(nodes: &[(String, Vec<Platform>)]) -> String {
    let each = nodes
        .iter()
        .map(|(node, platforms)| match platforms.is_empty() {
            true => format!("node {node} offers no platforms"),
            false => format!("node {node} offers {}", list(platforms)),
        });
    each.collect::<Vec<_>>().join("; ")
}

/// The reason why the socket or the keys of an SSH agent cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshFileProblem {
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The file contains no key that can be used.
    #[error("failed to parse {}: {fault}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        fault: KeyFault,
    },
    /// No program serves the socket.
    #[error("cannot connect to {}: {reason}", .path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// Several sockets are given.
    // docker buildx prints the same.
    #[error("only single socket allowed")]
    SeveralSockets,
    /// A socket and keys are given.
    // docker buildx prints the same.
    #[error("invalid combination of keys and sockets")]
    SocketAndKeys,
}

impl PlanError {
    /// Returns the setting with the fault.
    pub fn setting(&self) -> Setting {
        match self {
            Self::ContextNotFound { .. }
            | Self::ContextNotDirectory { .. }
            | Self::Stdin { .. }
            | Self::StdinEmpty
            | Self::Temporary { .. } => Setting::Context,
            Self::Dockerfile { .. } | Self::StdinTwice | Self::StdinAmbiguous => Setting::File,
            Self::NamedContext { .. } | Self::OciLayout { .. } => Setting::BuildContext,
            Self::SecretFile { .. } | Self::LargeSecret { .. } => Setting::Secret,
            Self::Ssh { .. } => Setting::Ssh,
            Self::NoNodes { .. } => Setting::Builder,
            Self::Unmatched { .. } => Setting::Platform,
            Self::Unsupported { ability, .. } => match ability {
                Ability::MultiPlatform => Setting::Platform,
                Ability::Attestation => Setting::Attest,
                Ability::CacheExport => Setting::CacheTo,
                Ability::Oci | Ability::Docker | Ability::PushByDigest => Setting::Output,
            },
            Self::NoTag => Setting::Tag,
            Self::IndexAnnotation => Setting::Annotation,
            Self::NoImageId => Setting::IidFile,
            Self::SameDestination { second, .. } => match second {
                Written::Output(_) => Setting::Output,
                Written::Metadata => Setting::MetadataFile,
                Written::ImageId => Setting::IidFile,
            },
            Self::SeveralToStdout
            | Self::ToConsole { .. }
            | Self::DirectoryIsFile { .. }
            | Self::FileIsDirectory { .. }
            | Self::ManifestListToFile
            | Self::SeveralEnginesPush
            | Self::SeveralPushes
            | Self::UnequalNodes { .. }
            | Self::DeleteOutside { .. }
            | Self::SeveralLayouts => Setting::Output,
        }
    }

    /// Returns the error of a temporary directory that cannot be used.
    pub(crate) fn temporary(error: io::Error) -> Self {
        Self::Temporary {
            directory: std::env::temp_dir(),
            reason: error.to_string(),
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
    /// Attestations of images.
    Attestation,
    /// Caches other than those within images.
    CacheExport,
}

impl fmt::Display for Ability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // docker buildx prints all but `push-by-digest`.
        formatter.write_str(match self {
            Self::Oci => "OCI exporter",
            Self::Docker => "Docker exporter",
            Self::MultiPlatform => "Multi-platform build",
            Self::PushByDigest => "push-by-digest",
            Self::Attestation => "Attestation",
            Self::CacheExport => "Cache export",
        })
    }
}
