//! What can be wrong with a configuration of the daemon.

use std::path::PathBuf;

use iechor_files::FileError;
use iechor_files::pem::PemError;

/// A place in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.path.display(), self.line)
    }
}

/// Why a configuration cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist.
    #[error("buildkit configuration file not found: {}", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("failed to read buildkit configuration file: {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says, or why it is not read.
        source: FileError,
    },
    /// The file is not TOML.
    #[error("failed to parse buildkit configuration file: {location}: {message}")]
    Syntax {
        /// Where.
        location: Location,
        /// What the parser says.
        message: String,
    },
    /// A value has the wrong type.
    #[error(
        "invalid buildkit configuration file: {location}: {key} is {found}, but has to be {expected}"
    )]
    Type {
        /// Where.
        location: Location,
        /// The key with those around it, such as `registry."docker.io".ca`.
        key: String,
        /// What the value is.
        found: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A pair of key and certificate lacks one of them.
    #[error("invalid buildkit configuration file: {location}: {key} lacks `{missing}`")]
    Incomplete {
        /// Where.
        location: Location,
        /// The key with those around it.
        key: String,
        /// `key` or `cert`.
        missing: &'static str,
    },
    /// A certificate or key cannot be read.
    #[error("failed to read {kind} file: {}: {source} ({key} in {location} names it)", path.display())]
    Certificate {
        /// `CA`, `key` or `cert`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: String,
        /// Where.
        location: Location,
        /// What the system says, or why it is not read.
        source: FileError,
    },
    /// A certificate or key is not one.
    #[error("cannot use {kind} file: {}: {source} ({key} in {location} names it)", path.display())]
    Content {
        /// `CA`, `key` or `cert`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: String,
        /// Where.
        location: Location,
        /// What is wrong with it.
        source: PemError,
    },
    /// All files together are more than a node may have.
    #[error("invalid buildkit configuration file: {}: with the files that it names {reason}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// How much there is, and how much there may be.
        reason: String,
    },
}
