//! Manifests of artifacts, see the OCI image specification
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

/// A manifest. What another program may leave out is optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// Its own type.
    #[serde(default)]
    pub media_type: Option<String>,
    /// What describes the layers.
    #[serde(default)]
    pub config: Option<Descriptor>,
    /// The content.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Annotations, by the keys of the OCI (`org.opencontainers.image.*`) and others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A part of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its type.
    pub media_type: String,
    /// Its digest, as it is written.
    pub digest: String,
    /// Its size, in bytes.
    pub size: u64,
}
