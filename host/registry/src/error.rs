//! What can go wrong between this program and a server.

use std::fmt;

use iechor_values::size;

use crate::digest::Digest;

/// A failure to fetch or push.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing answers there.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// What went wrong on the way.
        reason: String,
    },
    /// The server does not answer, or not fast enough.
    #[error("{host} is too slow: {reason}")]
    Slow {
        /// The server.
        host: String,
        /// What it did not do in which time.
        reason: String,
    },
    /// The server denies access.
    #[error("{host} {fault}")]
    Unauthorized {
        /// The server.
        host: String,
        /// Why.
        fault: AccessFault,
    },
    /// There is no such thing.
    #[error("{what} does not exist: {host} answers {answer}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// The server.
        host: String,
        /// Its own words.
        answer: String,
    },
    /// The server answered something else than what it was asked for.
    #[error("{url}: {reason}")]
    Answer {
        /// What it was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// What came is not what was asked for.
    #[error("{what} has the digest {found}, but {expected} was asked for; it is not used")]
    Mismatch {
        /// What was asked for.
        what: String,
        /// The digest that it should have.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
    },
    /// It has more bytes than it may have.
    #[error("{what} is too large: it may have {}", size::exact(*limit))]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Bytes.
        limit: u64,
    },
}

/// Why a server denies access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessFault {
    /// A registry was asked without credentials.
    NoCredentials,
    /// A registry does not accept the credentials.
    WrongCredentials,
    /// A web server denies access; it is never shown credentials.
    WebServer {
        /// Its answer.
        status: String,
    },
}

impl fmt::Display for AccessFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => formatter.write_str("asks who you are"),
            Self::WrongCredentials => formatter
                .write_str("does not take the credentials of the Docker configuration for this"),
            Self::WebServer { status } => write!(
                formatter,
                "answers {status}; this program has no credentials for web servers"
            ),
        }
    }
}

impl RegistryError {
    /// Returns whether the server could not be asked: nothing is known of what is there.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Slow { .. })
    }
}

/// Checks that bytes are those that were asked for.
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
