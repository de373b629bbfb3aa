//! Indexes of images, as defined by the OCI image specification
//! (<https://github.com/opencontainers/image-spec/blob/main/image-index.md>), which includes Docker's lists of
//! manifests.

use std::collections::BTreeMap;

use iechor_platform::Platform;
use iechor_registry::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Media type of an index of the OCI.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Media type of Docker's list of manifests.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The annotation of an entry that states the type of what it adds to another entry.
pub const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The annotation of an entry with the digest of the entry that it belongs to.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// A reference to content. Unknown fields are preserved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content, in bytes.
    pub size: u64,
    /// Annotations.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The platform of an image; `unknown/unknown` for attestations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Other fields.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Descriptor {
    /// Returns the digest of the image that this entry only adds to: that of an attestation.
    pub fn reference(&self) -> Option<&str> {
        self.annotations.get(REFERENCE_TYPE)?;
        self.annotations.get(REFERENCE_DIGEST).map(String::as_str)
    }
}

/// An index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Version of the schema; always 2.
    pub schema_version: u32,
    /// Media type: [`INDEX`] or [`DOCKER_LIST`].
    pub media_type: String,
    /// The entries.
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Returns the content of the index, which determines its digest. docker buildx writes the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("an index has only keys that are text")
    }
}

/// Deserialises `null` as an empty map, because Go writes an empty map in both ways.
fn null_is_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
