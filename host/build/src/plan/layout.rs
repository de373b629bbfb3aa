//! Named contexts that are images in OCI layouts on the client.

use std::collections::BTreeMap;

use iechor_buildkit::session::content::ContentStore;
use iechor_registry::{Digest, Layout};

use super::PlanError;
use crate::spec::{NamedContext, NamedSource, OciLayout};

/// The tag of an image without a tag.
const LATEST: &str = "latest";

/// An image in an OCI layout that was found, and the name of its store in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLayout {
    layout: OciLayout,
    store: String,
    digest: Digest,
}

/// Finds the images of named contexts.
///
/// # Errors
///
/// Returns the first image that is missing.
pub(super) fn find(contexts: &[NamedContext]) -> Result<BTreeMap<String, FoundLayout>, PlanError> {
    let layouts = contexts.iter().filter_map(|context| match &context.source {
        NamedSource::OciLayout(layout) => Some((&context.name, layout)),
        NamedSource::Directory(_) | NamedSource::Remote(_) | NamedSource::Resolved(_) => None,
    });
    let found = layouts.map(|(name, layout)| Ok((name.clone(), FoundLayout::find(layout)?)));
    found.collect()
}

impl FoundLayout {
    /// Finds an image in its layout: by its digest, by its tag, or the only image of the layout.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such image.
    pub fn find(layout: &OciLayout) -> Result<Self, PlanError> {
        Ok(Self {
            digest: digest(layout).map_err(|reason| PlanError::OciLayout {
                reference: layout.to_string(),
                reason,
            })?,
            layout: layout.clone(),
            store: iechor_buildkit::new_id(),
        })
    }

    /// Returns the source of the context, as the frontend takes it.
    pub fn attribute(&self) -> String {
        let tag = self.layout.tag.as_deref().unwrap_or(LATEST);
        format!("{}{}:{tag}@{}", OciLayout::PREFIX, self.store, self.digest)
    }

    /// Opens the store with the blobs of the image. Returns it with the name under which BuildKit calls it.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory has no blobs.
    pub fn store(&self) -> Result<(String, ContentStore), PlanError> {
        let path = &self.layout.path;
        let store = ContentStore::read_only(path).map_err(|error| PlanError::OciLayout {
            reference: self.layout.to_string(),
            reason: format!("invalid store at {}: {error}", path.display()),
        })?;
        Ok((format!("oci:{}", self.store), store))
    }
}

fn digest(wanted: &OciLayout) -> Result<Digest, String> {
    let layout = Layout::new(&wanted.path);
    let digest = match &wanted.digest {
        Some(digest) => digest.clone(),
        None => {
            let tag = wanted.tag.as_deref().unwrap_or(LATEST);
            let found = match layout.find(tag) {
                // As in docker buildx, a layout with one image needs no tag.
                Ok(None) => layout.only(),
                found => found,
            };
            let found = found.map_err(|error| error.to_string())?;
            // docker buildx prints the same.
            found.ok_or("failed to resolve digest")?.digest()?
        }
    };
    match layout.blob_path(&digest).is_file() {
        true => Ok(digest),
        false => Err(format!("the layout has no {digest}")),
    }
}

#[cfg(test)]
mod tests;
