//! Digests of blobs. The name of a blob's file is made of a digest, and of nothing else.

use std::fmt;

use iechor_values::hex;
use sha2::{Digest as _, Sha256};
use tonic::Status;

const ALGORITHM: &str = "sha256:";

/// Number of hexadecimal digits.
const DIGITS: usize = 64;

/// The SHA-256 digest of a blob, as text: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct BlobDigest(String);

impl BlobDigest {
    /// Parses the digest in a call of the daemon.
    ///
    /// # Errors
    ///
    /// Returns `InvalidArgument` for any other text, and for other algorithms: no store here has their blobs.
    pub(super) fn parse(text: &str) -> Result<Self, Status> {
        match text.strip_prefix(ALGORITHM) {
            Some(digits) if digits.len() == DIGITS && hex::is_hex(digits) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Status::invalid_argument(format!(
                "{text:?} failed validation"
            ))),
        }
    }

    /// Parses the name of a file in a store. Returns `None` if it is not the name of a blob.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        Self::parse(&format!("{ALGORITHM}{name}")).ok()
    }

    /// Returns the digest of everything that was hashed.
    pub(super) fn of(hash: Sha256) -> Self {
        Self(format!("{ALGORITHM}{}", hex::encode(&hash.finalize())))
    }

    /// Returns the name of the blob's file: the hexadecimal digits.
    pub(super) fn file(&self) -> &str {
        &self.0[ALGORITHM.len()..]
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
