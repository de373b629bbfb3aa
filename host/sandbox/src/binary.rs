//! The bytes of a component, with their digest.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::error::DriverError;
use crate::limits;

/// A component that was read and that nothing is known of but its digest: what decides whether it
/// may be used decides before it is parsed and compiled.
#[derive(Clone)]
pub struct Binary {
    bytes: Vec<u8>,
    digest: String,
}

impl Binary {
    /// Bytes that are here already.
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }

    /// Reads a file, of [`limits::COMPONENT_BYTES`] at most, and says where it is without symbolic
    /// links.
    ///
    /// # Errors
    ///
    /// What keeps it from being read.
    pub fn read(path: &Path) -> Result<(Self, PathBuf), DriverError> {
        let unreadable = |reason: String| DriverError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let failed = |error: io::Error| unreadable(error.to_string());
        // A pipe would be waited for until somebody writes to it.
        let file = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32)
            .open(path)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(unreadable("it is not a file".into()));
        }
        if metadata.len() > limits::COMPONENT_BYTES {
            return Err(unreadable(format!(
                "it has {} MiB; a driver may have {}",
                metadata.len() >> 20,
                limits::COMPONENT_BYTES >> 20
            )));
        }
        // Of what was opened: the path may lead elsewhere by now.
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let real = std::fs::read_link(link).map_err(failed)?;
        let mut bytes = Vec::new();
        // It may still grow.
        file.take(limits::COMPONENT_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok((Self::new(bytes), real))
    }

    /// SHA-256, as `sha256:` and hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// SHA-256, as `sha256:` and hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}
