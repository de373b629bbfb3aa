//! Removes the blobs of a layout that its index does not lead to.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use serde_json::{Map, Value};

use super::{Entry, Layout, LayoutError, children, lock, read_object};
use crate::digest::Digest;
use crate::manifest::{DOCKER_MANIFEST, INDEXES, MANIFEST};

/// Maximum number of blobs that an index may lead to.
const MOST_BLOBS: usize = 1_000_000;

impl Layout {
    /// Removes the blobs that the index does not lead to, and returns their number. If an index or a manifest
    /// cannot be read, no blob is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if an index or a manifest cannot be read, or a blob cannot be removed.
    pub fn sweep(&self) -> Result<usize, LayoutError> {
        let _lock = lock::Lock::take(&self.directory.join("index.json.lock"))?;
        let kept = self.reachable()?;
        let path = self.directory.join("blobs").join("sha256");
        let failed = |reason: io::Error| LayoutError::Write {
            path: path.clone(),
            reason,
        };
        let mut removed = 0;
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let digest = format!("sha256:{}", name.to_string_lossy());
            let Ok(digest) = digest.parse::<Digest>() else {
                continue;
            };
            if !kept.contains(&digest) {
                fs::remove_file(entry.path()).map_err(failed)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Returns the digests of the blobs that the index leads to.
    fn reachable(&self) -> Result<BTreeSet<Digest>, LayoutError> {
        let index = self.index_path();
        let malformed = |reason: String| LayoutError::Malformed {
            path: index.clone(),
            reason,
        };
        let mut kept = BTreeSet::new();
        let mut pending = self.entries()?;
        while let Some(entry) = pending.pop() {
            let digest = entry.digest().map_err(malformed)?;
            if kept.len() >= MOST_BLOBS {
                return Err(malformed(format!("it has more than {MOST_BLOBS} blobs")));
            }
            if !kept.insert(digest.clone()) || !has_children(&entry) {
                continue;
            }
            let path = self.blob_path(&digest);
            let manifest = read_object(&path)?;
            let found = parts(&manifest);
            pending.extend(found.map_err(|reason| LayoutError::Malformed { path, reason })?);
        }
        Ok(kept)
    }
}

fn has_children(entry: &Entry) -> bool {
    let kind = entry.media_type().unwrap_or_default();
    INDEXES.contains(&kind) || [MANIFEST, DOCKER_MANIFEST].contains(&kind)
}

/// Returns the blobs that an index or a manifest refers to.
fn parts(manifest: &Map<String, Value>) -> Result<Vec<Entry>, String> {
    let mut found = children(manifest)?;
    let config = manifest.get("config").into_iter();
    let layers = manifest.get("layers").and_then(Value::as_array);
    for part in config.chain(layers.into_iter().flatten()) {
        let fields = part.as_object().ok_or("a descriptor is not an object")?;
        found.push(Entry(fields.clone()));
    }
    Ok(found)
}
