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
    #[error("BuildKit sent no archive of images that can be loaded: {0}; nothing was loaded")]
    Malformed(String),
}

/// Returns that an archive is not written as archives of images are.
pub(super) fn malformed<T>(why: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Malformed(why.into()))
}
