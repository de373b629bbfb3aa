//! Cache imports and exports.

mod error;

use std::fmt;

use iechor_values::csv;

use super::value::{Attributes, boolean};

pub use error::CacheProblem;

/// A cache to import or export.
#[derive(Clone, PartialEq, Eq)]
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

impl Cache {
    /// Returns the cache within the exported image.
    pub fn inline() -> Self {
        Self {
            kind: CacheKind::Inline,
            attributes: Attributes::new(),
        }
    }

    /// Parses caches to import: `type=TYPE,KEY=VALUE,...` as a line of CSV, or references to images in
    /// registries, separated by commas. An empty text has no cache.
    ///
    /// # Errors
    ///
    /// Returns the fault of the text.
    pub fn imports(text: &str) -> Result<Vec<Self>, CacheProblem> {
        let caches = parse(text)?;
        for cache in &caches {
            cache.check_import()?;
        }
        Ok(caches)
    }

    /// Parses caches to export, in the same format as [`imports`](Self::imports).
    ///
    /// # Errors
    ///
    /// Returns the fault of the text.
    pub fn exports(text: &str) -> Result<Vec<Self>, CacheProblem> {
        let caches = parse(text)?;
        for cache in &caches {
            cache.check_export()?;
        }
        Ok(caches)
    }

    /// Returns an option that has a value.
    pub fn option(&self, key: &str) -> Option<&str> {
        let value = self.attributes.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    fn check_import(&self) -> Result<(), CacheProblem> {
        match self.kind {
            CacheKind::Local if self.option("src").is_none() => Err(CacheProblem::NoSource),
            CacheKind::Local
                if self.option("digest").is_none()
                    && self.attributes.get("tag").is_some_and(String::is_empty) =>
            {
                Err(CacheProblem::NoTag)
            }
            CacheKind::Registry if self.option("ref").is_none() => {
                Err(CacheProblem::NoReference { side: "importer" })
            }
            _ => Ok(()),
        }
    }

    fn check_export(&self) -> Result<(), CacheProblem> {
        match self.kind {
            CacheKind::Local if self.option("dest").is_none() => Err(CacheProblem::NoDestination),
            CacheKind::Local => match self.attributes.get("reset") {
                Some(reset) if boolean(reset).is_none() => Err(CacheProblem::Reset {
                    value: reset.clone(),
                }),
                _ => Ok(()),
            },
            CacheKind::Registry if self.option("ref").is_none() => {
                Err(CacheProblem::NoReference { side: "exporter" })
            }
            _ => Ok(()),
        }
    }
}

/// Shows the options without credentials.
impl fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cache = formatter.debug_struct("Cache");
        cache.field("kind", &self.kind);
        for (key, value) in &self.attributes {
            match is_secret(key) {
                true => cache.field(key, &HIDDEN),
                false => cache.field(key, value),
            };
        }
        cache.finish()
    }
}

/// The text in place of a credential.
const HIDDEN: &str = "xxxxx";

/// Returns whether the value of an option is a credential.
fn is_secret(key: &str) -> bool {
    let words = ["token", "secret", "password", "access_key", "account_key"];
    words.iter().any(|word| key.contains(word))
}

fn parse(text: &str) -> Result<Vec<Cache>, CacheProblem> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let fields = csv::fields(text).map_err(CacheProblem::Csv)?;
    if !text.contains('=') {
        let references = fields.into_iter().map(|reference| Cache {
            kind: CacheKind::Registry,
            attributes: Attributes::from([("ref".to_owned(), reference)]),
        });
        return Ok(references.collect());
    }
    let mut kind = None;
    let mut attributes = Attributes::new();
    for field in &fields {
        let (key, value) = field.split_once('=').ok_or_else(|| CacheProblem::NoValue {
            field: field.clone(),
        })?;
        match key.to_lowercase() {
            key if key == "type" => kind = Some(value).filter(|kind| !kind.is_empty()),
            key => drop(attributes.insert(key, value.to_owned())),
        }
    }
    let kind = kind.ok_or_else(|| CacheProblem::NoType {
        text: without_secrets(&fields),
    })?;
    Ok(vec![Cache {
        kind: CacheKind::named(kind),
        attributes,
    }])
}

/// Returns fields as a text without credentials.
fn without_secrets(fields: &[String]) -> String {
    let shown = fields.iter().map(|field| match field.split_once('=') {
        Some((key, _)) if is_secret(&key.to_lowercase()) => format!("{key}={HIDDEN}"),
        _ => field.clone(),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
