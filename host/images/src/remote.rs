//! Images in registries.

use iechor_registry::manifest::{DOCKER_MANIFEST, INDEXES, MANIFEST};
use iechor_registry::{Client, Digest};

use crate::content::{Content, Part};
use crate::error::ImageError;

/// Maximum size of a configuration, in bytes.
const CONFIG_BYTES: u64 = 16 << 20;

/// Fetches an image or an index by its digest.
///
/// # Errors
///
/// Returns an error if the registry does not have it, sends something else, or it is not an image.
pub async fn fetch(client: &Client, digest: &Digest) -> Result<Part, ImageError> {
    let accepted = [INDEXES[0], INDEXES[1], MANIFEST, DOCKER_MANIFEST];
    let received = client.manifest(Some(digest), &accepted).await?;
    let unusable = |fault| ImageError::Content {
        what: digest.to_string(),
        fault,
    };
    match Content::read(&received.bytes).map_err(unusable)? {
        Content::Index(part) => Ok(part),
        Content::Manifest(manifest) => {
            let what = format!("the configuration of {digest}");
            let config = &manifest.config;
            let config = client.blob(config, &what, CONFIG_BYTES, &|_, _| {}).await?;
            manifest.with_config(&config).map_err(unusable)
        }
    }
}
