//! What can go wrong on the way to a component.

use std::path::PathBuf;

use crate::digest::{Digest, DigestError};

/// A failure to fetch or push a component.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The text is not a source.
    #[error("{text:?} is not a source of a driver: {reason}")]
    Source {
        /// What the user wrote.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A digest is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A file or directory cannot be read.
    #[error("{}: {reason}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing answers there.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// What went wrong on the way.
        reason: String,
    },
    /// The server does not answer, or not fast enough.
    #[error("{host} is too slow: {reason}; try again later")]
    Slow {
        /// The server.
        host: String,
        /// What it did not do in which time.
        reason: String,
    },
    /// The server lets nobody in without credentials, or not with these.
    #[error("{host} {reason}")]
    Unauthorized {
        /// The server.
        host: String,
        /// What it wants.
        reason: String,
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
    /// What is there is no component.
    #[error("{what} is no driver: {reason}")]
    NotAComponent {
        /// What was asked for.
        what: String,
        /// What it is instead.
        reason: String,
    },
    /// What came is not what was asked for.
    #[error(
        "{what} is not what it should be: its digest is {found}, and {expected} was asked for; \
         nothing of it is used"
    )]
    Mismatch {
        /// What was asked for.
        what: String,
        /// The digest that it should have.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
    },
    /// It has more bytes than it may have.
    #[error("{what} is too large: it may have {} MiB", limit >> 20)]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Bytes.
        limit: u64,
    },
}

impl RegistryError {
    /// Whether nobody could be asked: nothing is known of what is there.
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
