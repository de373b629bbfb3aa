//! Why an archive is not loaded.

/// Why an archive is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It has an image with a name that was not requested.
    #[error(
        "BuildKit sent an image with the name {name:?}, which was not asked for; nothing was loaded"
    )]
    Unasked {
        /// The name in the archive.
        name: String,
        /// The requested names.
        asked: Vec<String>,
    },
    /// It is not written as archives of images are.
    #[error("BuildKit sent an archive that cannot be loaded: {0}; nothing was loaded")]
    Malformed(String),
}

/// Returns the error of an archive that is not written as archives of images are.
pub(super) fn malformed<T>(why: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Malformed(why.into()))
}
