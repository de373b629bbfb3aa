//! Errors of images.

use iechor_registry::RegistryError;

/// The reason why the parts of an image cannot be combined into an index.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A registry failed, or does not have a part.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Content is neither a manifest nor an index.
    #[error("{what} cannot be used: {fault}")]
    Content {
        /// The content.
        what: String,
        /// Its fault.
        fault: ContentError,
    },
}

/// The reason why content is not a part of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The content is not JSON, or has other fields than a manifest or an index.
    #[error("it is no manifest: {0}")]
    Malformed(String),
    /// A manifest without a configuration is not that of an image.
    #[error("its manifest names no configuration")]
    NoConfig,
    /// A manifest of schema 1, which an index cannot contain.
    // docker buildx prints the same.
    #[error("schema1 manifests are not allowed in manifest lists")]
    Schema1,
}
