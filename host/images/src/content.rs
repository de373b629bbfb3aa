//! Content of a registry or a layout that is an image, or an index of images.

use std::collections::BTreeMap;

use iechor_platform::Platform;
use iechor_registry::Digest;
use iechor_registry::manifest::{DOCKER_MANIFEST, MANIFEST};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ContentError;
use crate::index::Descriptor;

/// A part of an index: the entries that it adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The entries.
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index that the entries come from.
    pub annotations: BTreeMap<String, String>,
}

/// The content of a digest.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An index.
    Index(Part),
    /// The manifest of one image. Its configuration states its platform.
    Manifest(Box<Manifest>),
}

/// The manifest of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    descriptor: Descriptor,
    /// Digest of the configuration.
    pub config: Digest,
}

/// The fields of a manifest or an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Config>,
    annotations: Option<BTreeMap<String, String>>,
    /// The layers of schema 1.
    fs_layers: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
    digest: Digest,
}

impl Content {
    /// Reads a manifest or an index.
    ///
    /// # Errors
    ///
    /// Returns an error if the content is neither.
    pub fn read(bytes: &[u8]) -> Result<Self, ContentError> {
        let malformed = |error: serde_json::Error| ContentError::Malformed(error.to_string());
        let fields: Fields = serde_json::from_slice(bytes).map_err(malformed)?;
        if fields.fs_layers.is_some() {
            return Err(ContentError::Schema1);
        }
        if let Some(manifests) = fields.manifests {
            return Ok(Self::Index(Part {
                manifests,
                annotations: fields.annotations.unwrap_or_default(),
            }));
        }
        let config = fields.config.ok_or(ContentError::NoConfig)?;
        let media_type = fields.media_type.unwrap_or_else(|| {
            let is_docker = config.media_type.starts_with("application/vnd.docker.");
            let default = if is_docker { DOCKER_MANIFEST } else { MANIFEST };
            default.to_owned()
        });
        Ok(Self::Manifest(Box::new(Manifest {
            descriptor: Descriptor {
                media_type,
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                annotations: BTreeMap::new(),
                platform: None,
                unknown: serde_json::Map::new(),
            },
            config: config.digest,
        })))
    }
}

impl Manifest {
    /// Returns the image as a part, with the platform that its configuration states.
    ///
    /// # Errors
    ///
    /// Returns an error if `config` is not the configuration of an image.
    pub fn with_config(self, config: &[u8]) -> Result<Part, ContentError> {
        let platform: Platform = serde_json::from_slice(config)
            .map_err(|error| ContentError::Malformed(error.to_string()))?;
        // The other fields of a configuration are no part of the platform.
        let platform = Platform {
            unknown: serde_json::Map::new(),
            ..platform.normalised()
        };
        let platform = Some(platform).filter(|platform| !platform.os.is_empty());
        Ok(Part {
            manifests: vec![Descriptor {
                platform,
                ..self.descriptor
            }],
            annotations: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Content, ContentError> {
        Content::read(text.as_bytes())
    }

    #[test]
    fn the_platform_of_an_image_is_in_its_configuration() {
        let digest = Digest::of(b"config");
        for (kind, config, expected) in [
            ("", "application/vnd.oci.image.config.v1+json", MANIFEST),
            (
                "",
                "application/vnd.docker.container.image.v1+json",
                DOCKER_MANIFEST,
            ),
            (r#""mediaType":"some/type","#, "x", "some/type"),
        ] {
            let text = format!(
                r#"{{{kind}"schemaVersion":2,"layers":[],
                "config":{{"mediaType":"{config}","digest":"{digest}","size":6}}}}"#
            );
            let Ok(Content::Manifest(manifest)) = read(&text) else {
                panic!("no manifest: {text}");
            };
            assert_eq!(manifest.config, digest);
            let config = br#"{"architecture":"aarch64","os":"linux","rootfs":{}}"#;
            let part = manifest.with_config(config).expect("a part");
            let [entry] = part.manifests.as_slice() else {
                panic!("{part:?}");
            };
            assert_eq!(entry.media_type, expected);
            assert_eq!(entry.digest, Digest::of(text.as_bytes()));
            assert_eq!(entry.size, text.len() as u64);
            assert_eq!(entry.platform, Some(Platform::new("linux", "arm64", "")));
        }
    }

    #[test]
    fn entries_keep_what_is_unknown() {
        let digest = Digest::of(b"");
        let entry = format!(
            r#"{{"mediaType":"m","digest":"{digest}","size":1,"annotations":{{"a":"b"}},"urls":["u"]}}"#
        );
        let text = format!(r#"{{"manifests":[{entry}],"annotations":{{"c":"d"}}}}"#);
        let Ok(Content::Index(part)) = read(&text) else {
            panic!("no index: {text}");
        };
        assert_eq!(part.annotations["c"], "d");
        let written = serde_json::to_string(&part.manifests[0]).expect("JSON");
        assert_eq!(written, entry);
    }

    #[test]
    fn other_content_is_refused() {
        let layer = r#"{"fsLayers":[],"config":null}"#;
        assert_eq!(read(layer), Err(ContentError::Schema1));
        assert_eq!(read("{}"), Err(ContentError::NoConfig));
        let digest = r#"{"manifests":[{"mediaType":"m","digest":"sha256:../x","size":1}]}"#;
        for text in ["", "[]", "<html>", digest] {
            assert!(
                matches!(read(text), Err(ContentError::Malformed(_))),
                "{text}"
            );
        }
    }
}
