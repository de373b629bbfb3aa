//! Manifests of artifacts, as defined by the OCI image specification
//! (<https://github.com/opencontainers/image-spec/blob/main/manifest.md>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Media type of an OCI manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media types of lists of manifests, of the OCI and of Docker.
pub const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// Media types of the configs of container images, of the OCI and of Docker.
pub const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// A manifest. Fields that other programs may omit are optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the schema; always 2.
    pub schema_version: u32,
    /// Media type of the manifest.
    #[serde(default)]
    pub media_type: Option<String>,
    /// The config, which describes the layers.
    #[serde(default)]
    pub config: Option<Descriptor>,
    /// The layers, which contain the content.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Annotations, with keys of the OCI (`org.opencontainers.image.*`) and other keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A part of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// Digest, as text.
    pub digest: String,
    /// Size, in bytes.
    pub size: u64,
}
