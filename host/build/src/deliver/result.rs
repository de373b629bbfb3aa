//! The result of a build, and the files that describe it.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::file::write_whole;
use crate::error::{BuildError, FileKind};

/// The result of a build.
#[derive(Debug, Clone, Default)]
pub struct BuildResult {
    /// The results of the nodes, in the order of the plan.
    pub nodes: Vec<NodeResult>,
}

/// The result of one node.
#[derive(Debug, Clone, Default)]
pub struct NodeResult {
    /// `<builder>/<node>/<ref>`: the name of the build in the history of the daemon.
    pub reference: String,
    /// The values that the exporters reported.
    pub response: BTreeMap<String, String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl BuildResult {
    /// Returns the warnings of all nodes.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| node.warnings.iter().map(String::as_str))
    }

    /// Returns the ID of the image: the digest of its configuration, or of its manifest if it has several
    /// platforms.
    pub fn image_id(&self) -> Option<&str> {
        let response = &self.nodes.first()?.response;
        ["containerimage.config.digest", "containerimage.digest"]
            .iter()
            .find_map(|key| response.get(*key))
            .map(String::as_str)
    }

    /// Returns the metadata of the result: the values that the exporters reported, with base64-encoded JSON
    /// decoded.
    pub fn metadata(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(node) = self.nodes.first() {
            for (key, value) in &node.response {
                metadata.insert(key.clone(), decoded(value));
            }
            let reference = Value::String(node.reference.clone());
            metadata.insert("buildx.build.ref".into(), reference);
        }
        Value::Object(metadata)
    }

    /// Writes the metadata and the ID of the image into files.
    ///
    /// # Errors
    ///
    /// Returns the first file that cannot be written, with the reason.
    pub fn write(
        &self,
        metadata_file: Option<&Path>,
        iid_file: Option<&Path>,
    ) -> Result<(), BuildError> {
        if let Some(path) = metadata_file {
            let text = format!("{:#}\n", self.metadata());
            write_whole(FileKind::Metadata, path, text.as_bytes())?;
        }
        if let Some(path) = iid_file {
            let id = self.image_id().unwrap_or_default();
            write_whole(FileKind::ImageId, path, id.as_bytes())?;
        }
        Ok(())
    }
}

/// Decodes a base64-encoded JSON object or list. Returns any other text unchanged.
fn decoded(value: &str) -> Value {
    base64::engine::general_purpose::STANDARD
        .decode(value)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .filter(|decoded| decoded.is_object() || decoded.is_array())
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_decodes_json_and_keeps_the_rest() {
        let node = NodeResult {
            reference: "b/b0/xyz".into(),
            response: BTreeMap::from([
                ("containerimage.digest".to_owned(), "sha256:1".to_owned()),
                (
                    "containerimage.descriptor".to_owned(),
                    "eyJzaXplIjoxfQ==".to_owned(),
                ),
                // This happens to be base64, but not of JSON.
                ("image.name".to_owned(), "demo".to_owned()),
            ]),
            warnings: vec![],
        };
        let result = BuildResult { nodes: vec![node] };
        assert_eq!(
            result.metadata(),
            serde_json::json!({
                "buildx.build.ref": "b/b0/xyz",
                "containerimage.digest": "sha256:1",
                "containerimage.descriptor": {"size": 1},
                "image.name": "demo",
            })
        );
        assert_eq!(result.image_id(), Some("sha256:1"));

        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("iid");
        result.write(None, Some(&path)).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "sha256:1");
        let error = result
            .write(Some(Path::new("/nonexistent/x")), None)
            .expect_err("no directory");
        assert!(error.to_string().contains("/nonexistent/x"), "{error}");
    }
}
