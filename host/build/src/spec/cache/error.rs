//! Faults of caches.

use iechor_values::csv::CsvError;

/// The fault of a cache. Except for CSV, docker buildx prints the same texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheProblem {
    /// The text is not valid CSV.
    #[error("invalid cache: {0}")]
    Csv(CsvError),
    /// A field is not `KEY=VALUE`.
    #[error("invalid value {field}")]
    NoValue {
        /// The field.
        field: String,
    },
    /// The type is missing.
    #[error("type required for {text:?}")]
    NoType {
        /// The text, without credentials.
        text: String,
    },
    /// A local cache to export has no directory.
    #[error("local cache exporter requires dest")]
    NoDestination,
    /// A local cache to import has no directory.
    #[error("local cache importer requires src")]
    NoSource,
    /// A local cache to import has neither a digest nor a tag.
    #[error(
        "local cache importer requires either explicit digest, \"latest\" tag or custom tag on index.json"
    )]
    NoTag,
    /// A cache in a registry has no reference.
    #[error("registry cache {side} requires ref")]
    NoReference {
        /// `importer` or `exporter`.
        side: &'static str,
    },
    /// The option `reset` is neither true nor false.
    #[error("failed to parse reset attribute: {value:?} is not a boolean")]
    Reset {
        /// The value.
        value: String,
    },
}
