//! Errors of requests to registries and web servers.

use std::fmt;

use iechor_values::size;

use crate::digest::Digest;

/// A failure to fetch or push.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The server cannot be reached.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// The cause.
        reason: String,
    },
    /// The server does not answer, or not fast enough.
    #[error("{host} is too slow: {reason}")]
    Slow {
        /// The server.
        host: String,
        /// What the server did not do, and the time limit.
        reason: String,
    },
    /// The server denies access.
    #[error("{host} {fault}")]
    Unauthorized {
        /// The server.
        host: String,
        /// The cause.
        fault: AccessFault,
    },
    /// The requested object does not exist.
    #[error("{what} does not exist: {host} answers {answer}")]
    NotFound {
        /// The requested object.
        what: String,
        /// The server.
        host: String,
        /// The server's message.
        answer: String,
    },
    /// The server sent an unexpected answer.
    #[error("{url}: {reason}")]
    Answer {
        /// The address of the request.
        url: String,
        /// The fault of the answer.
        reason: String,
    },
    /// The content has another digest than the requested one.
    #[error("{what} has the digest {found}, but {expected} was requested; it is not used")]
    Mismatch {
        /// The requested object.
        what: String,
        /// The requested digest.
        expected: Digest,
        /// The digest of the content.
        found: Digest,
    },
    /// The object exceeds its maximum size.
    #[error("{what} is too large: the maximum is {}", size::exact(*limit))]
    TooLarge {
        /// The requested object.
        what: String,
        /// Maximum size, in bytes.
        limit: u64,
    },
}

/// The reason why a server denies access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessFault {
    /// The registry requires credentials, and none are stored.
    NoCredentials,
    /// The registry refuses the credentials.
    WrongCredentials,
    /// A web server denies access. Web servers never get credentials.
    WebServer {
        /// The status of the answer.
        status: String,
    },
}

impl fmt::Display for AccessFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => formatter.write_str("requires authentication"),
            Self::WrongCredentials => {
                formatter.write_str("refuses the credentials of the Docker configuration")
            }
            Self::WebServer { status } => write!(
                formatter,
                "answers {status}; this program has no credentials for web servers"
            ),
        }
    }
}

impl RegistryError {
    /// Returns whether the server could not be reached, so that the state of its content is unknown.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Slow { .. })
    }
}

/// Checks that content has the requested digest.
pub(crate) fn check(
    what: &str,
    expected: Option<&Digest>,
    found: &Digest,
) -> Result<(), RegistryError> {
    match expected {
        Some(expected) if expected != found => Err(RegistryError::Mismatch {
            what: what.to_owned(),
            expected: expected.clone(),
            found: found.clone(),
        }),
        _ => Ok(()),
    }
}
