//! The bytes of a component, with their digest.

use std::path::{Path, PathBuf};

use iechor_values::hex;
use sha2::{Digest, Sha256};

use crate::error::DriverError;
use crate::limits;

/// A component that was read. Only its digest is known: whether it may be used is decided before it is
/// parsed and compiled.
#[derive(Clone)]
pub struct Binary {
    bytes: Vec<u8>,
    digest: String,
}

impl Binary {
    /// Returns a component in memory.
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }

    /// Reads a file, of [`limits::COMPONENT_BYTES`] at most, and says where it is without symbolic
    /// links.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be read.
    pub fn read(path: &Path) -> Result<(Self, PathBuf), DriverError> {
        let read = || {
            let file = iechor_files::open(path)?;
            let real = file.real_path()?;
            Ok((Self::new(file.read(limits::COMPONENT_BYTES)?), real))
        };
        read().map_err(|error: iechor_files::FileError| DriverError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// SHA-256, as `sha256:` and hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Returns the SHA-256 digest, as `sha256:` and hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(&Sha256::digest(bytes)))
}
