//! Errors of the store.

use std::path::PathBuf;

use iechor_files::DirectoryError;

use crate::name::NameError;

/// A file that exists but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {reason}; correct the file or remove it", path.display())]
pub struct BrokenFile {
    /// The file.
    pub path: PathBuf,
    /// The fault of the file.
    pub reason: String,
}

/// Failures of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `BUILDX_CONFIG` nor `HOME` is set, and the user database has no home directory.
    #[error("cannot determine the directory of the builders: set BUILDX_CONFIG or HOME")]
    NoDirectory,
    /// A file or directory cannot be read or written, or another process holds the lock.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file of the store cannot be used.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// A name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No builder has that name.
    #[error("no builder {name:?} found")]
    NotFound {
        /// The name that was given.
        name: String,
    },
    /// A builder is larger than the store reads.
    #[error(
        "builder {name} is too large: {size} MiB, mostly files for its nodes; the limit is {limit} MiB"
    )]
    TooLarge {
        /// The builder.
        name: String,
        /// Its size, in MiB.
        size: usize,
        /// The limit, in MiB.
        limit: u64,
    },
    /// A builder cannot be written as JSON.
    #[error("cannot write builder {name} as JSON: {source}")]
    Json {
        /// The builder.
        name: String,
        /// The error of the serializer.
        source: serde_json::Error,
    },
}
