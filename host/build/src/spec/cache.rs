//! Where cache is read from and written to.

use super::value::Attributes;

/// A place of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Its type.
    pub kind: CacheKind,
    /// Its options, for example `ref` and `mode`.
    pub attributes: Attributes,
}

/// A type of cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheKind {
    /// An image of its own in a registry.
    Registry,
    /// Within the image that is exported.
    Inline,
    /// A directory of this machine.
    Local,
    /// The cache of GitHub Actions.
    Gha,
    /// A bucket of S3.
    S3,
    /// Blob storage of Azure.
    AzBlob,
    /// A type that only the daemon knows.
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
