//! Images in directories with an OCI layout (`tar=false`): BuildKit writes the blobs into a store, and the
//! image is added to the index after the build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use iechor_buildkit::SessionBuilder;
use iechor_buildkit::session::content::{ContentStore, EXPORT_STORE};
use iechor_registry::Layout;
use iechor_registry::layout::{Entry, Name};

use crate::error::{BuildError, FileKind};

/// The value of the exporters' response that describes the image, as JSON in base64.
pub(super) const DESCRIPTOR: &str = "containerimage.descriptor";

/// The value of the exporters' response with the names of the image, separated by commas.
pub(super) const NAMES: &str = "image.name";

/// A directory to which an image is added. Dropping it removes the directories that it created, if they are
/// still empty.
pub(super) struct ToLayout {
    directory: PathBuf,
    store: ContentStore,
    is_new: bool,
}

impl ToLayout {
    /// Creates the directory, or opens the existing one.
    pub(super) fn open(directory: &Path) -> Result<Self, BuildError> {
        let is_new = !directory.exists();
        let store = ContentStore::writable(directory)
            .map_err(|error| unwritable(directory, error.to_string()))?;
        Ok(Self {
            directory: directory.to_owned(),
            store,
            is_new,
        })
    }

    /// Returns the directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Offers the store to the daemon.
    pub(super) fn attach(&self, session: SessionBuilder) -> SessionBuilder {
        session.content_store(EXPORT_STORE, self.store.clone())
    }

    /// Adds the image to the index. As in docker buildx, an image without a name has the tag `latest`.
    pub(super) async fn complete(
        self,
        response: &BTreeMap<String, String>,
    ) -> Result<(), BuildError> {
        let failed = |reason: String| unwritable(&self.directory, reason);
        let descriptor = response.get(DESCRIPTOR);
        let descriptor =
            descriptor.ok_or_else(|| failed("BuildKit did not describe the image".into()))?;
        let entry = base64::engine::general_purpose::STANDARD
            .decode(descriptor)
            .map_err(|error| error.to_string())
            .and_then(|json| Entry::parse(&json))
            .map_err(|error| failed(format!("BuildKit described the image wrongly: {error}")))?;
        let digest = entry.digest().map_err(failed)?;
        if !self.store.contains(digest.as_str()) {
            return Err(failed(format!("BuildKit did not send {digest}")));
        }
        let names = response.get(NAMES).map_or("", String::as_str).split(',');
        let names = names.filter(|name| !name.is_empty());
        let mut names: Vec<_> = names.map(|name| Name::Image(name.to_owned())).collect();
        if names.is_empty() {
            names.push(Name::Tag("latest".to_owned()));
        }
        let layout = Layout::new(&self.directory);
        let put = tokio::task::spawn_blocking(move || layout.put(&entry, &names)).await;
        put.map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }
}

impl Drop for ToLayout {
    fn drop(&mut self) {
        let created = ["ingest", "blobs/sha256", "blobs"];
        let mut created: Vec<_> = created.map(|name| self.directory.join(name)).into();
        if self.is_new {
            created.push(self.directory.clone());
        }
        for directory in created {
            // Only an empty directory can be removed in this way.
            let _ = fs::remove_dir(directory);
        }
    }
}

fn unwritable(directory: &Path, reason: String) -> BuildError {
    BuildError::File {
        kind: FileKind::Output,
        path: directory.to_owned(),
        reason,
    }
}
