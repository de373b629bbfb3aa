//! Settings of the metadata of a build.

use std::path::PathBuf;

/// The metadata that a build writes to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// The file.
    pub path: PathBuf,
    /// The part of the provenance that it has.
    pub provenance: ProvenanceMode,
    /// Whether it has the warnings about the Dockerfile.
    pub warnings: bool,
}

/// A part of a provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProvenanceMode {
    /// Everything but the steps and the metadata of the build.
    #[default]
    Min,
    /// Everything.
    Max,
    /// Nothing.
    Disabled,
}

impl ProvenanceMode {
    /// Parses the name of a part, or false for nothing. Other texts are the minimum, as in docker buildx.
    pub fn named(name: &str) -> Self {
        match name {
            "max" => Self::Max,
            "disabled" => Self::Disabled,
            other if super::value::boolean(other) == Some(false) => Self::Disabled,
            _ => Self::Min,
        }
    }
}
