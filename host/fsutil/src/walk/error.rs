//! The error of a walk.

use std::io;
use std::path::PathBuf;

use crate::filter::FilterError;
use crate::pattern::PatternError;

/// A failed walk.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The root cannot be opened: it does not exist, is not a directory, or is not readable.
    #[error("cannot open directory `{}`", path.display())]
    Root {
        /// Path of the root.
        path: PathBuf,
        /// Reason of the failure.
        source: io::Error,
    },
    /// The filter is invalid.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A pattern turned out to be invalid when a path was matched.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A selected entry cannot be read. The filter could exclude it.
    #[error("cannot {action} `{path}`")]
    Entry {
        /// Operation that failed.
        action: &'static str,
        /// Path of the entry, relative to the root.
        path: String,
        /// Reason of the failure.
        source: io::Error,
    },
    /// There are more entries than can be numbered.
    #[error("`{path}` is beyond the {} entries that a transfer can have", u32::MAX)]
    TooManyEntries {
        /// First entry without a number, relative to the root.
        path: String,
    },
}
