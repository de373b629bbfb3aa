//! Cache imports and exports.

mod error;

use std::fmt;

use iechor_values::csv;

use super::faults::Faults;
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
    /// Returns all faults of the text.
    pub fn imports(text: &str) -> Result<Vec<Self>, Vec<CacheProblem>> {
        parse(text, Self::check_import)
    }

    /// Parses caches to export, in the same format as [`imports`](Self::imports).
    ///
    /// # Errors
    ///
    /// Returns all faults of the text.
    pub fn exports(text: &str) -> Result<Vec<Self>, Vec<CacheProblem>> {
        parse(text, Self::check_export)
    }

    /// Returns an option that has a value.
    pub fn option(&self, key: &str) -> Option<&str> {
        let value = self.attributes.get(key).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    fn check_import(&self, faults: &mut Faults<CacheProblem>) {
        match self.kind {
            CacheKind::Local => {
                if self.option("src").is_none() {
                    note_missing(faults, CacheProblem::NoSource);
                }
                let has_empty_tag = self.attributes.get("tag").is_some_and(String::is_empty);
                if has_empty_tag && self.option("digest").is_none() {
                    note_missing(faults, CacheProblem::NoTag);
                }
            }
            CacheKind::Registry if self.option("ref").is_none() => {
                note_missing(faults, CacheProblem::NoReference { side: "importer" });
            }
            _ => {}
        }
    }

    fn check_export(&self, faults: &mut Faults<CacheProblem>) {
        match self.kind {
            CacheKind::Local => {
                if self.option("dest").is_none() {
                    note_missing(faults, CacheProblem::NoDestination);
                }
                let reset = self.attributes.get("reset").cloned();
                if let Some(value) = reset.filter(|value| boolean(value).is_none()) {
                    faults.note(CacheProblem::Reset { value });
                }
            }
            CacheKind::Registry if self.option("ref").is_none() => {
                note_missing(faults, CacheProblem::NoReference { side: "exporter" });
            }
            _ => {}
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

/// Notes that a field is missing, unless it may be one of those that are not `KEY=VALUE`.
fn note_missing(faults: &mut Faults<CacheProblem>, fault: CacheProblem) {
    if !faults.has(|fault| matches!(fault, CacheProblem::NoValue { .. })) {
        faults.note(fault);
    }
}

/// Parses caches, and notes with `check` what is wrong with their options.
fn parse(
    text: &str,
    check: fn(&Cache, &mut Faults<CacheProblem>),
) -> Result<Vec<Cache>, Vec<CacheProblem>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let fields = csv::fields(text).map_err(|error| vec![CacheProblem::Csv(error)])?;
    if !text.contains('=') {
        let references = fields.into_iter().map(|reference| Cache {
            kind: CacheKind::Registry,
            attributes: Attributes::from([("ref".to_owned(), reference)]),
        });
        return Ok(references.collect());
    }
    let mut faults = Faults::default();
    let mut kind = None;
    let mut attributes = Attributes::new();
    for field in &fields {
        let Some((key, value)) = field.split_once('=') else {
            let field = field.clone();
            faults.note(CacheProblem::NoValue { field });
            continue;
        };
        match key.to_lowercase() {
            key if key == "type" => kind = Some(value).filter(|kind| !kind.is_empty()),
            key => drop(attributes.insert(key, value.to_owned())),
        }
    }
    if kind.is_none() {
        let text = without_secrets(&fields);
        note_missing(&mut faults, CacheProblem::NoType { text });
    }
    let cache = Cache {
        kind: CacheKind::named(kind.unwrap_or_default()),
        attributes,
    };
    check(&cache, &mut faults);
    faults.check(vec![cache])
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
