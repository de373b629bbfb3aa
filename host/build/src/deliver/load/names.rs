//! The files of an archive that name images.

use std::collections::{BTreeMap, BTreeSet};

use iechor_values::image::Reference;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{ArchiveError, malformed};

/// The annotation of an index that contains the name of an image.
pub(super) const IMAGE_NAME: &str = "io.containerd.image.name";
pub(super) const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// The names that an archive may have.
pub(super) struct Names {
    asked: Vec<String>,
    /// The same names in the canonical form that engines use.
    allowed: BTreeSet<String>,
}

impl Names {
    /// Allows the given names.
    pub(super) fn new(asked: Vec<String>) -> Self {
        Self {
            allowed: asked.iter().filter_map(|name| canonical(name)).collect(),
            asked,
        }
    }

    /// Checks a file with names, and returns its rewritten contents.
    pub(super) fn check_file(&self, file: &str, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        match file {
            "manifest.json" => self.manifest(contents),
            "index.json" => self.index(contents),
            _ => self.repositories(contents),
        }
    }

    fn manifest(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let images: Vec<ManifestEntry> = read("manifest.json", contents)?;
        for name in images
            .iter()
            .flat_map(|image| image.repo_tags.iter().flatten())
        {
            self.check_name(name)?;
        }
        write(&images)
    }

    fn index(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let index: Map<String, Value> = read("index.json", contents)?;
        self.check_described(&index)?;
        match index.get("manifests") {
            None | Some(Value::Null) => {}
            Some(Value::Array(manifests)) => {
                for manifest in manifests {
                    match manifest {
                        Value::Object(manifest) => self.check_described(manifest)?,
                        _ => return malformed("index.json has a manifest that is not an object"),
                    }
                }
            }
            Some(_) => return malformed("the manifests of index.json are not a list"),
        }
        write(&index)
    }

    /// Checks the names in the annotations of an index, or of a manifest in an index.
    fn check_described(&self, object: &Map<String, Value>) -> Result<(), ArchiveError> {
        // Engines ignore the case of a field.
        for known in ["manifests", "annotations"] {
            let mut keys = object.keys();
            if keys.any(|key| key != known && key.to_lowercase() == known) {
                return malformed("index.json has a field in an unusual spelling");
            }
        }
        let annotations: BTreeMap<String, String> = match object.get("annotations") {
            None | Some(Value::Null) => return Ok(()),
            Some(annotations) => serde_json::from_value(annotations.clone())
                .map_err(|error| ArchiveError::Malformed(format!("index.json: {error}")))?,
        };
        let given = |key: &str| annotations.get(key).filter(|name| !name.is_empty());
        let image = given(IMAGE_NAME);
        if let Some(name) = image {
            self.check_name(name)?;
        }
        match given(REFERENCE_NAME) {
            // If the whole name is present as well, this is only the tag.
            Some(tag) if image.is_some() && self.is_tag(tag) => Ok(()),
            Some(name) => self.check_name(name),
            None => Ok(()),
        }
    }

    fn repositories(&self, contents: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let images: BTreeMap<String, BTreeMap<String, String>> = read("repositories", contents)?;
        for (name, tags) in &images {
            for tag in tags.keys() {
                self.check_name(&format!("{name}:{tag}"))?;
            }
        }
        write(&images)
    }

    /// Checks that an image may have the given name.
    fn check_name(&self, name: &str) -> Result<(), ArchiveError> {
        match canonical(name) {
            Some(name) if self.allowed.contains(&name) => Ok(()),
            _ => Err(ArchiveError::Unasked {
                name: name.to_owned(),
                asked: self.asked.clone(),
            }),
        }
    }

    /// Returns whether a text is the tag of an allowed name.
    fn is_tag(&self, tag: &str) -> bool {
        let tags = self.allowed.iter().filter_map(|name| name.rsplit_once(':'));
        tags.map(|(_, tag)| tag).any(|known| known == tag)
    }
}

/// Returns whether a file of an archive contains names of images.
pub(super) fn has_names(name: &str) -> bool {
    matches!(name, "manifest.json" | "index.json" | "repositories")
}

/// An entry of `manifest.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ManifestEntry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer_sources: Option<Value>,
}

fn read<T: serde::de::DeserializeOwned>(name: &str, contents: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(contents)
        .map_err(|error| ArchiveError::Malformed(format!("{name}: {error}")))
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, ArchiveError> {
    serde_json::to_vec(value).map_err(|error| ArchiveError::Malformed(error.to_string()))
}

/// Returns the canonical form of a name, or `None` if it is not the name of an image.
pub(super) fn canonical(name: &str) -> Option<String> {
    Reference::check(name)
        .ok()
        .map(|reference| reference.canonical())
}
