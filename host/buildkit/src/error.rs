//! The errors of the client, and their texts, which follow BuildKit's Go client.

mod details;
mod snippet;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use crate::status::{Range, SourceInfo};

pub use snippet::source_snippet;

/// An error between opening the byte stream and the end of a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream ended or broke, or the other side does not speak HTTP/2. The client cannot be
    /// used any more: connect again with a new stream.
    #[error("lost the connection to BuildKit: {reason}")]
    ConnectionLost {
        /// Reason, for example the text that arrived instead of HTTP/2.
        reason: String,
    },
    /// BuildKit sent nothing for longer than the client waits, although it was asked: 4 s of the time in
    /// which this process ran. A build that is quiet is not silent in this sense.
    #[error("BuildKit did not answer for {} seconds", .limit.as_secs_f32())]
    Silent {
        /// Time that the client waited.
        limit: Duration,
    },
    /// BuildKit refused a call other than Solve.
    #[error("{call}: {}", worded(*.code, .message))]
    Call {
        /// Name of the call, for example `Control.Info`.
        call: &'static str,
        /// The gRPC status code.
        code: Code,
        /// The gRPC status message.
        message: String,
    },
    /// The build failed on the daemon.
    #[error("failed to solve: {0}")]
    Solve(Box<SolveError>),
    /// A result could not be written on this side.
    #[error("{kind} export: {message}")]
    Export {
        /// Index in [`SolveRequest::exporters`](crate::SolveRequest::exporters).
        index: usize,
        /// Kind of the exporter, for example `local`.
        kind: String,
        /// Reason, for example `No space left on device`.
        message: String,
    },
    /// A file on the daemon is larger than the caller reads.
    #[error("{path} is larger than {limit} bytes")]
    FileTooLarge {
        /// Path of the file.
        path: String,
        /// Maximum size, in bytes.
        limit: usize,
    },
    /// BuildKit did something on the session of the build that no BuildKit does, and that could harm
    /// the user. The build was ended.
    #[error("BuildKit violated the protocol of the build: {what}")]
    Violation {
        /// What it did, for example that it requested a file that was not offered.
        what: String,
    },
    /// The caller cancelled the build.
    #[error("build cancelled: context canceled")]
    Cancelled,
    /// The request is invalid. Nothing was sent.
    #[error("{0}")]
    Request(String),
}

impl Error {
    /// Returns the gRPC status code, if the error came from the daemon or is a cancellation.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Call { code, .. } => Some(*code),
            Self::Solve(error) => Some(error.code),
            Self::Cancelled => Some(Code::Canceled),
            _ => None,
        }
    }

    /// Returns the places in source files (Dockerfiles) that the error refers to, in display order.
    pub fn sources(&self) -> &[SourceError] {
        match self {
            Self::Solve(error) => &error.sources,
            _ => &[],
        }
    }
}

/// The failure of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SolveError {
    /// The gRPC status code; [`Code::Unknown`] for most failures of a build.
    pub code: Code,
    /// The message, without the prefix `failed to solve: `.
    pub message: String,
    /// Digest of the vertex that failed.
    pub vertex: Option<String>,
    /// Places in the Dockerfile.
    pub sources: Vec<SourceError>,
    /// Time for which this process was stopped, if the daemon ended the session of the build meanwhile.
    pub stopped: Option<Duration>,
    /// Name of the request that the frontend does not support, for example `frontend.lint`.
    pub unsupported_request: Option<String>,
    /// The details as the daemon sent them: an encoded `google.rpc.Status`.
    pub(crate) encoded: Bytes,
}

impl SolveError {
    /// Returns a failure with a message and without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            vertex: None,
            sources: Vec::new(),
            stopped: None,
            unsupported_request: None,
            encoded: Bytes::new(),
        }
    }
}

impl fmt::Display for SolveError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&worded(self.code, &self.message))
    }
}

impl std::error::Error for SolveError {}

/// A place in a source file that an error refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SourceError {
    /// The file and its text.
    pub info: SourceInfo,
    /// The affected lines.
    pub ranges: Vec<Range>,
}

/// Formats a status as BuildKit's Go client does: the code precedes the message unless it is
/// Unknown.
fn worded(code: Code, message: &str) -> String {
    match code {
        Code::Ok | Code::Unknown => message.to_owned(),
        code => format!("{code}: {message}"),
    }
}

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "the names are those of the gRPC specification, which explains them"
)]
pub enum Code {
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

impl From<tonic::Code> for Code {
    fn from(code: tonic::Code) -> Self {
        match code {
            tonic::Code::Ok => Self::Ok,
            tonic::Code::Cancelled => Self::Canceled,
            tonic::Code::Unknown => Self::Unknown,
            tonic::Code::InvalidArgument => Self::InvalidArgument,
            tonic::Code::DeadlineExceeded => Self::DeadlineExceeded,
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::AlreadyExists => Self::AlreadyExists,
            tonic::Code::PermissionDenied => Self::PermissionDenied,
            tonic::Code::ResourceExhausted => Self::ResourceExhausted,
            tonic::Code::FailedPrecondition => Self::FailedPrecondition,
            tonic::Code::Aborted => Self::Aborted,
            tonic::Code::OutOfRange => Self::OutOfRange,
            tonic::Code::Unimplemented => Self::Unimplemented,
            tonic::Code::Internal => Self::Internal,
            tonic::Code::Unavailable => Self::Unavailable,
            tonic::Code::DataLoss => Self::DataLoss,
            tonic::Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}
