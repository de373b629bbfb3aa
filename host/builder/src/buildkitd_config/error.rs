//! Errors in a configuration of the daemon.

use std::path::PathBuf;

use iechor_files::FileError;
use iechor_files::pem::PemError;

/// A position in the configuration file.
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

/// Reasons why a configuration cannot be used.
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
        /// The error of the system, or the reason why the file is not read.
        source: FileError,
    },
    /// The file is not TOML.
    #[error("failed to parse buildkit configuration file: {location}: {message}")]
    Syntax {
        /// Position.
        location: Location,
        /// Message of the parser.
        message: String,
    },
    /// A value has the wrong type, or the wrong form.
    #[error(
        "invalid buildkit configuration file: {location}: {key} is {found}, but has to be {expected}"
    )]
    Type {
        /// Position.
        location: Location,
        /// The full key, such as `registry."docker.io".ca`.
        key: String,
        /// The value, or its type.
        found: String,
        /// Required type.
        expected: &'static str,
    },
    /// A pair of key and certificate lacks one of them.
    #[error("invalid buildkit configuration file: {location}: {key} lacks `{missing}`")]
    Incomplete {
        /// Position.
        location: Location,
        /// The full key.
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
        /// Position.
        location: Location,
        /// The error of the system, or the reason why the file is not read.
        source: FileError,
    },
    /// A file does not hold a certificate or key.
    #[error("cannot use {kind} file: {}: {source} ({key} in {location} names it)", path.display())]
    Content {
        /// `CA`, `key` or `cert`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: String,
        /// Position.
        location: Location,
        /// The fault of the file.
        source: PemError,
    },
    /// All files together exceed the limits of a node.
    #[error("invalid buildkit configuration file: {}: with the files that it names {reason}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// The size, and the limit.
        reason: String,
    },
}
