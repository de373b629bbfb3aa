//! Errors of settings that are given as text.

use iechor_platform::PlatformError;
use iechor_values::csv::CsvError;

use super::steps::{HostError, NetworkError, ResourceError, UlimitError};

/// The reason why a text is not a valid setting of a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No context is given.
    // docker buildx prints the same.
    #[error("please specify build context (e.g. \".\" for the current directory)")]
    NoContext,
    /// The context or the Dockerfile is standard input.
    #[error("reading the context or the Dockerfile from standard input is not supported")]
    StandardInput,
    /// A pair begins with `=`.
    // docker buildx prints the same.
    #[error("invalid key-value pair {text:?}: empty key")]
    EmptyKey {
        /// The text.
        text: String,
    },
    /// A tag is not the name of an image.
    // docker buildx prints the same.
    #[error("invalid tag {text:?}: invalid reference format")]
    Tag {
        /// The text.
        text: String,
    },
    /// A platform is invalid.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A list is not valid CSV.
    #[error("{fault}")]
    List {
        /// The text.
        text: String,
        /// The fault.
        fault: CsvError,
    },
    /// An additional host is invalid.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is no such network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A size is invalid.
    // Docker's go-units prints the same.
    #[error("invalid size: '{text}'")]
    Size {
        /// The text.
        text: String,
    },
    /// A limit of processes is invalid.
    #[error("{fault}")]
    Ulimit {
        /// The text.
        text: String,
        /// The fault.
        fault: UlimitError,
    },
    /// A limit of containers is invalid.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// An output is invalid.
    #[error("{problem}")]
    Output {
        /// The text.
        text: String,
        /// The fault.
        problem: OutputProblem,
    },
}

/// The fault of an output. The message begins with the text of docker buildx, if docker buildx has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// The output is not valid CSV.
    #[error("invalid output: {0}")]
    Csv(CsvError),
    /// A field is not `KEY=VALUE`.
    #[error("invalid value {field:?}, expecting KEY=VALUE")]
    NoValue {
        /// The field.
        field: String,
    },
    /// The type is missing.
    #[error("type is required for output")]
    NoType,
    /// The type is unknown.
    #[error("unknown type {kind:?} of output")]
    UnknownType {
        /// The type.
        kind: String,
    },
    /// The exporter requires a destination.
    #[error("dest is required for {kind} exporter")]
    NoDestination {
        /// The exporter.
        kind: &'static str,
    },
    /// The exporter cannot write to standard output.
    #[error("dest cannot be stdout for {kind} exporter")]
    ToStdout {
        /// The exporter.
        kind: &'static str,
    },
    /// The exporter does not support a destination.
    #[error("dest is not supported for {kind} exporter")]
    Destination {
        /// The exporter.
        kind: &'static str,
    },
    /// A directory is requested, but the exporter writes one file.
    #[error("tar=false is not supported for {kind} exporter")]
    NoTar {
        /// The exporter.
        kind: &'static str,
    },
    /// An option is neither true nor false.
    #[error("invalid value {value:?} of {key} for {kind} exporter, expecting true or false")]
    NotBoolean {
        /// The exporter.
        kind: &'static str,
        /// The option.
        key: &'static str,
        /// Its value.
        value: String,
    },
}
