//! What the user granted to drivers, by the digest of the component.
//!
//! `drivers/<digest>.json` in the store. A changed component has another digest, and is asked for
//! again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use iechor_sandbox::Grant;

use crate::error::BuilderError;

fn path(store: &Path, digest: &str) -> PathBuf {
    store
        .join("drivers")
        .join(format!("{}.json", digest.replace(':', "-")))
}

/// What was granted to the component of that digest.
///
/// # Errors
///
/// Where the file is there and cannot be read.
pub fn granted(store: &Path, digest: &str) -> Result<Vec<Grant>, BuilderError> {
    let path = path(store, digest);
    let unreadable = |reason: String| BuilderError::File {
        what: "grants of a driver",
        path: path.clone(),
        reason,
    };
    match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(error.to_string())),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string())),
    }
}

/// Adds to what was granted.
///
/// # Errors
///
/// Where it cannot be written.
pub fn grant(store: &Path, digest: &str, more: &[Grant]) -> Result<Vec<Grant>, BuilderError> {
    let mut grants = granted(store, digest)?;
    let before = grants.len();
    for grant in more {
        if !grants.contains(grant) {
            grants.push(grant.clone());
        }
    }
    if grants.len() > before {
        let path = path(store, digest);
        let unwritable = |error: std::io::Error| BuilderError::File {
            what: "grants of a driver",
            path: path.clone(),
            reason: error.to_string(),
        };
        let directory = path.parent().unwrap_or(store);
        fs::create_dir_all(directory).map_err(unwritable)?;
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(unwritable)?;
        serde_json::to_writer_pretty(&mut file, &grants)
            .map_err(|error| unwritable(error.into()))?;
        file.flush().map_err(unwritable)?;
        file.persist(&path)
            .map_err(|error| unwritable(error.error))?;
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_add_up_per_digest() {
        let store = tempfile::tempdir().expect("directory");
        let grant_of = |name: &str| Grant {
            name: name.into(),
            scope: vec![],
        };
        assert!(
            granted(store.path(), "sha256:1")
                .expect("none yet")
                .is_empty()
        );
        grant(store.path(), "sha256:1", &[grant_of("image.pull")]).expect("written");
        grant(
            store.path(),
            "sha256:1",
            &[grant_of("image.pull"), grant_of("engine.open")],
        )
        .expect("written");
        let names: Vec<_> = granted(store.path(), "sha256:1")
            .expect("read")
            .into_iter()
            .map(|g| g.name)
            .collect();
        assert_eq!(names, ["image.pull", "engine.open"]);
        assert!(
            granted(store.path(), "sha256:2")
                .expect("another")
                .is_empty()
        );
    }
}
