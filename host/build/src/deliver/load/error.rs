//! Errors of archives that cannot be loaded.

/// The reason why an archive cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The archive contains an image with a name that was not requested.
    #[error(
        "BuildKit sent an image with the name {name:?}, which was not requested; nothing was loaded"
    )]
    Unasked {
        /// The name in the archive.
        name: String,
        /// The requested names.
        asked: Vec<String>,
    },
    /// The archive does not have the format of image archives.
    #[error("BuildKit sent an archive that cannot be loaded: {0}; nothing was loaded")]
    Malformed(String),
}

/// Returns the error of an archive that does not have the format of image archives.
pub(super) fn malformed<T>(why: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Malformed(why.into()))
}
