//! Errors of the store.

use std::path::PathBuf;

use iechor_files::DirectoryError;

use crate::name::NameError;

/// A file that is there but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}: {reason}; mend the file or remove it", path.display())]
pub struct BrokenFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither `BUILDX_CONFIG` nor `HOME` says where the store is.
    #[error("cannot tell where builders are kept: set BUILDX_CONFIG or HOME to a directory")]
    NoDirectory,
    /// A file or directory cannot be read or written, or another process holds the lock.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file of the store makes no sense.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no such builder.
    #[error("no builder {name:?} found")]
    NotFound {
        /// The name as it was given.
        name: String,
    },
    /// A builder would not be read again.
    #[error(
        "builder {name} is not saved: it would have {size} MiB, of which most are files for its nodes; \
         it may have {limit} MiB"
    )]
    TooLarge {
        /// The builder.
        name: String,
        /// What it has, in MiB.
        size: usize,
        /// What it may have, in MiB.
        limit: u64,
    },
    /// A builder cannot be written as JSON.
    #[error("cannot write builder {name} as JSON: {source}")]
    Json {
        /// The builder.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}
