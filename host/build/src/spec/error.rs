//! Errors of settings that are given as text.

use iechor_platform::PlatformError;
use iechor_values::csv::CsvError;

use super::cache::CacheProblem;
use super::oci_layout::OciLayoutError;
use super::secret::SecretProblem;
use super::ssh::SshProblem;
use super::steps::{HostError, NetworkError, ResourceError, UlimitError};

/// The reason why a text is not a valid setting of a build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No context is given.
    // docker buildx prints the same.
    #[error("please specify build context (e.g. \".\" for the current directory)")]
    NoContext,
    /// A named context is not `NAME=SOURCE`.
    // docker buildx prints the same.
    #[error("invalid context value: {text}, expected key=value")]
    NamedContext {
        /// The text.
        text: String,
    },
    /// The name of a named context is not an image reference.
    // docker buildx prints the same.
    #[error("invalid context name {name}: invalid reference format")]
    ContextName {
        /// The name.
        name: String,
    },
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
    /// An entitlement is unknown.
    // docker buildx prints the same.
    #[error("unknown entitlement {text}")]
    Entitlement {
        /// The text.
        text: String,
    },
    /// The frontend of the build is empty.
    // docker buildx prints the same.
    #[error(
        "empty BUILDKIT_SYNTAX build-arg is invalid, use --build-arg BUILDKIT_SYNTAX without '=' for optional behavior"
    )]
    EmptySyntax,
    /// A request to the frontend is invalid.
    #[error("{problem}{}", call_text(problem, text))]
    Call {
        /// The text.
        text: String,
        /// The fault.
        problem: CallProblem,
    },
    /// An annotation is invalid.
    // docker buildx prints the same.
    #[error("parse annotations: {0}")]
    Annotation(AnnotationProblem),
    /// An attestation is invalid.
    #[error(transparent)]
    Attestation(#[from] AttestationProblem),
    /// A setting of the environment is neither true nor false.
    // docker buildx prints the same.
    #[error("invalid {name}: strconv.ParseBool: parsing {value:?}: invalid syntax")]
    Switch {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// An output is invalid.
    #[error("{problem}")]
    Output {
        /// The text.
        text: String,
        /// The fault.
        problem: OutputProblem,
    },
    /// A secret is invalid. The text is not part of the error, because it may contain a secret by mistake.
    #[error(transparent)]
    Secret(#[from] SecretProblem),
    /// An SSH agent is invalid.
    #[error(transparent)]
    Ssh(#[from] SshProblem),
    /// A named context is not an image in an OCI layout.
    #[error("invalid context value: {text}, expected NAME=oci-layout://DIRECTORY: {problem}")]
    OciLayout {
        /// The text.
        text: String,
        /// The fault.
        problem: OciLayoutError,
    },
    /// A cache is invalid.
    #[error(transparent)]
    Cache(#[from] CacheProblem),
}

/// The fault of a request to the frontend. The messages are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallProblem {
    /// The text is not valid CSV.
    #[error("invalid print value: {0}")]
    Csv(CsvError),
    /// A field is unknown.
    #[error("invalid print field: {field}")]
    Field {
        /// The field.
        field: String,
    },
    /// An option is neither true nor false.
    #[error("invalid ignorestatus print value: {value}")]
    NotBoolean {
        /// Its value.
        value: String,
    },
    /// There are several names.
    #[error("invalid print value")]
    Names,
    /// There is no name.
    #[error("no request in print value")]
    NoName,
}

/// Returns the text of the request, for faults of the whole text.
fn call_text(problem: &CallProblem, text: &str) -> String {
    match problem {
        CallProblem::Names | CallProblem::NoName => format!(": {text}"),
        CallProblem::Csv(_) | CallProblem::Field { .. } | CallProblem::NotBoolean { .. } => {
            String::new()
        }
    }
}

/// The fault of an output. The message begins with the text of docker buildx, if docker buildx has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// The output is not valid CSV.
    #[error("invalid output: {0}")]
    Csv(CsvError),
    /// A field is not `KEY=VALUE`.
    #[error("invalid value {field}, expecting KEY=VALUE")]
    NoValue {
        /// The field.
        field: String,
    },
    /// The mode of a local directory is unknown.
    #[error("invalid local exporter mode {mode:?}")]
    LocalMode {
        /// The mode.
        mode: String,
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

/// The fault of an annotation. The messages are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationProblem {
    /// The annotation is not `KEY=VALUE`.
    #[error("invalid annotation {text:?}, expected key=value")]
    NoValue {
        /// The annotation.
        text: String,
    },
    /// A level is not a word with an optional platform.
    #[error(
        "invalid annotation type {text:?}, expected type and optional platform in square brackets"
    )]
    Level {
        /// The level.
        text: String,
    },
    /// A level is unknown.
    #[error("unknown annotation type {level:?}")]
    UnknownLevel {
        /// The level.
        level: String,
    },
    /// The platform of a level is invalid.
    #[error("invalid platform {text:?}: {cause}")]
    Platform {
        /// The platform.
        text: String,
        /// The fault.
        cause: PlatformError,
    },
}

/// The fault of an attestation. The messages begin with the texts of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationProblem {
    /// The attestation is not valid CSV.
    #[error("invalid attestation: {0}")]
    Csv(CsvError),
    /// A field is not `KEY=VALUE`, or its value is neither true nor false.
    #[error("invalid value {field}")]
    Value {
        /// The field.
        field: String,
    },
    /// The type is missing.
    #[error("attestation type not specified")]
    NoType,
}
