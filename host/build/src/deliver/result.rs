//! The result of a build.

use std::collections::BTreeMap;

use serde_json::Value;

/// The beginning of the names of values that describe an image, and the value with its names.
const IMAGE: &str = "containerimage.";
const NAMES: &str = "image.name";

/// The result of a build.
#[derive(Debug, Clone, Default)]
pub struct BuildResult {
    /// The results of the nodes, in the order of the plan.
    pub nodes: Vec<NodeResult>,
    /// The values that describe the merged result of several nodes, if there is one.
    pub merged: Option<BTreeMap<String, String>>,
}

/// The result of one node.
#[derive(Debug, Clone, Default)]
pub struct NodeResult {
    /// `<builder>/<node>/<ref>`: the name of the build in the history of the daemon.
    pub reference: String,
    /// The values that the exporters reported.
    pub response: BTreeMap<String, String>,
    /// The answer to the call of the build: metadata of the frontend, for example `result.json`. Empty
    /// without a call.
    pub answer: BTreeMap<String, String>,
    /// Documents about the sources and steps of the build, by their keys in the metadata.
    pub provenance: BTreeMap<String, Value>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl NodeResult {
    /// Returns the name of the node.
    pub(crate) fn node(&self) -> &str {
        self.reference.split('/').nth(1).unwrap_or_default()
    }
}

impl BuildResult {
    /// Returns the warnings of all nodes.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| node.warnings.iter().map(String::as_str))
    }

    /// Returns the answer to the call of the build.
    pub fn answer(&self) -> Option<&BTreeMap<String, String>> {
        self.nodes.first().map(|node| &node.answer)
    }

    /// Returns the text of the frontend that is printed after the build.
    pub fn inline_message(&self) -> Option<&str> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|node| Some(node.response.get("frontend.result.inlinemessage")?.as_str()))
    }

    /// Returns the ID of the image: the digest of its configuration, or of its manifest if it has several
    /// platforms.
    pub fn image_id(&self) -> Option<&str> {
        self.value("containerimage.config.digest")
            .or_else(|| self.digest())
    }

    /// Returns the digest of the image: of its manifest, or of its index if it has several manifests.
    pub fn digest(&self) -> Option<&str> {
        self.value("containerimage.digest")
    }

    /// Returns the names of the image.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.value(NAMES).unwrap_or_default();
        names.split(',').filter(|name| !name.is_empty())
    }

    /// Returns the values that the exporters reported; those of the merged result, if several nodes made one.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let first = self.nodes.first();
        let mut values = first.map(|node| node.response.clone()).unwrap_or_default();
        if let Some(merged) = &self.merged {
            // These describe the part of a node.
            values.retain(|key, _| !key.starts_with(IMAGE) && key != NAMES);
            values.extend(merged.clone());
        }
        values
    }

    fn value(&self, key: &str) -> Option<&str> {
        let of_node = || self.nodes.first().map(|node| &node.response);
        let values = self.merged.as_ref().or_else(of_node)?;
        values.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_image_is_the_digest_of_its_configuration() {
        let result = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            BuildResult {
                nodes: vec![NodeResult {
                    response: pairs.collect(),
                    ..NodeResult::default()
                }],
                merged: None,
            }
        };
        let index = result(&[("containerimage.digest", "sha256:1"), ("image.name", "a,b")]);
        assert_eq!(index.image_id(), Some("sha256:1"));
        assert_eq!(index.names().collect::<Vec<_>>(), ["a", "b"]);
        let image = result(&[
            ("containerimage.digest", "sha256:1"),
            ("containerimage.config.digest", "sha256:2"),
        ]);
        assert_eq!(image.image_id(), Some("sha256:2"));
        assert_eq!(image.digest(), Some("sha256:1"));
        assert_eq!(image.names().count(), 0);
        assert_eq!(BuildResult::default().image_id(), None);
        let merged = BuildResult {
            merged: index.nodes.first().map(|node| node.response.clone()),
            ..image
        };
        assert_eq!(merged.image_id(), Some("sha256:1"));
        assert_eq!(merged.values(), index.values());
    }
}
