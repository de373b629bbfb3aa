//! Cache imports and exports.

use super::value::Attributes;

/// A cache to import or export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Type of the cache.
    pub kind: CacheKind,
    /// Options, for example `ref` and `mode`.
    pub attributes: Attributes,
}

/// A type of cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheKind {
    /// A separate image in a registry.
    Registry,
    /// Within the exported image.
    Inline,
    /// A local directory.
    Local,
    /// The cache of GitHub Actions.
    Gha,
    /// An S3 bucket.
    S3,
    /// Azure Blob Storage.
    AzBlob,
    /// Another type that the daemon may support.
    Other(String),
}

impl CacheKind {
    /// Returns the type with this name.
    pub fn named(name: &str) -> Self {
        match name {
            "registry" => Self::Registry,
            "inline" => Self::Inline,
            "local" => Self::Local,
            "gha" => Self::Gha,
            "s3" => Self::S3,
            "azblob" => Self::AzBlob,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns the name of the type.
    pub fn name(&self) -> &str {
        match self {
            Self::Registry => "registry",
            Self::Inline => "inline",
            Self::Local => "local",
            Self::Gha => "gha",
            Self::S3 => "s3",
            Self::AzBlob => "azblob",
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_buildkit() {
        for name in ["registry", "inline", "local", "gha", "s3", "azblob", "new"] {
            assert_eq!(CacheKind::named(name).name(), name);
        }
        assert_eq!(CacheKind::named("s3"), CacheKind::S3);
    }
}
