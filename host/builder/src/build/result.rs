//! What a build gave, and the files that say so.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value};

use crate::error::BuilderError;

/// What a build gave.
#[derive(Debug, Clone, Default)]
pub struct BuildResult {
    /// `<builder>/<node>/<ref>`: the build's name in the daemon's history.
    pub reference: String,
    /// What the exporters reported.
    pub response: BTreeMap<String, String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl BuildResult {
    /// The image's id, as `--iidfile` and `--quiet` have it: the digest of its configuration, or of
    /// its manifest where there is none (several platforms).
    pub fn image_id(&self) -> Option<&str> {
        ["containerimage.config.digest", "containerimage.digest"]
            .iter()
            .find_map(|key| self.response.get(*key))
            .map(String::as_str)
    }

    /// The content of `--metadata-file`: what the exporters reported, base64 JSON decoded.
    pub fn metadata(&self) -> Value {
        let mut metadata = Map::new();
        for (key, value) in &self.response {
            metadata.insert(key.clone(), decoded(value));
        }
        metadata.insert(
            "buildx.build.ref".into(),
            Value::String(self.reference.clone()),
        );
        Value::Object(metadata)
    }

    /// Writes `--metadata-file` and `--iidfile`.
    ///
    /// # Errors
    ///
    /// Which file cannot be written, and why.
    pub fn write(
        &self,
        metadata_file: Option<&Path>,
        iid_file: Option<&Path>,
    ) -> Result<(), BuilderError> {
        if let Some(path) = metadata_file {
            let text = format!("{:#}\n", self.metadata());
            write_whole("metadata file", path, text.as_bytes())?;
        }
        if let Some(path) = iid_file {
            write_whole(
                "image ID file",
                path,
                self.image_id().unwrap_or_default().as_bytes(),
            )?;
        }
        Ok(())
    }
}

/// A JSON object in base64, decoded; anything else as it is.
fn decoded(value: &str) -> Value {
    base64::engine::general_purpose::STANDARD
        .decode(value)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .filter(|decoded| decoded.is_object() || decoded.is_array())
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

/// Whole or not at all.
fn write_whole(what: &'static str, path: &Path, contents: &[u8]) -> Result<(), BuilderError> {
    let failed = |reason: String| BuilderError::File {
        what,
        path: path.to_owned(),
        reason,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(directory)
        .map_err(|error| failed(error.to_string()))?;
    file.write_all(contents)
        .map_err(|error| failed(error.to_string()))?;
    file.persist(path)
        .map_err(|error| failed(error.error.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_decodes_json_and_keeps_the_rest() {
        let result = BuildResult {
            reference: "b/b0/xyz".into(),
            response: BTreeMap::from([
                ("containerimage.digest".to_owned(), "sha256:1".to_owned()),
                (
                    "containerimage.descriptor".to_owned(),
                    "eyJzaXplIjoxfQ==".to_owned(),
                ),
                // Base64 by chance, of something that is no JSON.
                ("image.name".to_owned(), "demo".to_owned()),
            ]),
            warnings: vec![],
        };
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
