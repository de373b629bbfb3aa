//! Local caches during and after a build.

use std::collections::BTreeMap;

use iechor_buildkit::SessionBuilder;
use iechor_buildkit::session::content::ContentStore;
use iechor_registry::Layout;
use iechor_registry::layout::{Entry, Name};

use crate::error::BuildError;
use crate::plan::Caches;
use crate::plan::caches::Directory;

/// The value of the exporters' response that describes the exported cache, as JSON.
const MANIFEST: &str = "cache.manifest";

/// Offers the directories with local caches to the daemon. Creates those of caches to export.
///
/// # Errors
///
/// Returns the first directory that cannot be opened.
pub(super) fn attach(
    mut session: SessionBuilder,
    caches: &Caches,
) -> Result<SessionBuilder, BuildError> {
    for (id, directory) in &caches.directories {
        let store = match directory.export {
            Some(_) => ContentStore::writable(&directory.path),
            None => ContentStore::read_only(&directory.path),
        };
        let store = store.map_err(|error| unusable(directory, error.to_string()))?;
        session = session.content_store(id, store);
    }
    Ok(session)
}

/// Adds the exported cache to the indexes of its directories, after the build. Returns warnings about
/// directories in which obsolete blobs stay.
///
/// # Errors
///
/// Returns the first directory whose index cannot be changed.
pub(super) async fn complete(
    caches: &Caches,
    response: &BTreeMap<String, String>,
) -> Result<Vec<String>, BuildError> {
    let Some(manifest) = response.get(MANIFEST).cloned() else {
        return Ok(Vec::new());
    };
    let directories: Vec<_> = caches.directories.values().cloned().collect();
    let update = move || {
        let mut warnings = Vec::new();
        for directory in &directories {
            update(directory, &manifest, &mut warnings)?;
        }
        Ok(warnings)
    };
    let updated = tokio::task::spawn_blocking(update).await;
    updated.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn update(
    directory: &Directory,
    manifest: &str,
    warnings: &mut Vec<String>,
) -> Result<(), BuildError> {
    let Some(export) = &directory.export else {
        return Ok(());
    };
    let failed = |reason: String| unusable(directory, reason);
    let entry = Entry::parse(manifest.as_bytes())
        .map_err(|error| failed(format!("BuildKit described the cache wrongly: {error}")))?;
    let digest = entry.digest().map_err(failed)?;
    let layout = Layout::new(&directory.path);
    if !layout.blob_path(&digest).is_file() {
        return Err(failed(format!("BuildKit did not send {digest}")));
    }
    let name = Name::Tag(export.tag.clone());
    layout
        .put(&entry, &[name])
        .map_err(|error| failed(error.to_string()))?;
    if export.reset
        && let Err(error) = layout.sweep()
    {
        warnings.push(format!(
            "obsolete blobs stay in the cache {}: {error}",
            directory.path.display()
        ));
    }
    Ok(())
}

fn unusable(directory: &Directory, reason: String) -> BuildError {
    BuildError::LocalCache {
        path: directory.path.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::caches::Update;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn directory() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().expect("directory");
        let directory = Directory {
            path: temporary.path().to_owned(),
            export: Some(Update {
                tag: "t".into(),
                reset: true,
            }),
        };
        (temporary, directory)
    }

    fn updated(directory: &Directory, manifest: &str) -> Result<Vec<String>, BuildError> {
        let mut warnings = Vec::new();
        update(directory, manifest, &mut warnings).map(|()| warnings)
    }

    #[test]
    fn a_cache_that_was_not_sent_is_refused() {
        let (temporary, directory) = directory();
        for (manifest, words) in [
            (
                format!("{{\"digest\":{DIGEST:?}}}"),
                "BuildKit did not send sha256:e3b0",
            ),
            ("{\"digest\":\"sha256:../../x\"}".into(), "wrongly"),
            ("{".into(), "wrongly"),
        ] {
            let error = updated(&directory, &manifest).expect_err(words).to_string();
            let start = format!("cannot use the cache {}: ", temporary.path().display());
            assert!(
                error.starts_with(&start) && error.contains(words),
                "{error}"
            );
        }
        let files = std::fs::read_dir(temporary.path()).expect("listed");
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn blobs_that_cannot_be_removed_are_a_warning() {
        let (temporary, directory) = directory();
        let blobs = temporary.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).expect("made");
        std::fs::write(blobs.join(&DIGEST[7..]), "").expect("written");
        // An index whose manifest is missing.
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let other = format!("sha256:{}", "0".repeat(64));
        let index = format!("{{\"manifests\":[{{\"mediaType\":{kind:?},\"digest\":{other:?}}}]}}");
        std::fs::write(temporary.path().join("index.json"), index).expect("written");
        let manifest = format!("{{\"digest\":{DIGEST:?}}}");
        let warnings = updated(&directory, &manifest).expect("added");
        assert!(
            warnings[0].starts_with("obsolete blobs stay in the cache "),
            "{warnings:?}"
        );
        assert!(
            Layout::new(temporary.path())
                .find("t")
                .expect("read")
                .is_some()
        );
    }
}
