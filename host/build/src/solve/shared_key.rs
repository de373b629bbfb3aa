//! The key by which BuildKit recognises transfers of the same directory.

use std::fs;
use std::io::Write;
use std::path::Path;

use iechor_files::output::without_name;

use crate::error::BuildError;

/// Maximum size of the file with the ID of this machine, in bytes. docker buildx writes 26 bytes.
const ID_BYTES: u64 = 4096;

/// Returns the key of a directory: its name and an ID of this machine's store. A second transfer with
/// the same key sends only the changes.
///
/// # Errors
///
/// Returns an error if the ID cannot be read or written.
pub(super) fn shared_key(context: &Path, store: &Path) -> Result<String, BuildError> {
    let base = fs::canonicalize(context)
        .ok()
        .and_then(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .unwrap_or_default();
    Ok(format!("{base}:{}", machine_id(store)?))
}

/// Returns the content of `.buildNodeID`, which is shared with docker buildx. Creates the file if it is
/// missing.
fn machine_id(store: &Path) -> Result<String, BuildError> {
    let path = store.join(".buildNodeID");
    let unusable = |reason: String| BuildError::MachineId {
        path: path.clone(),
        reason,
    };
    let failed = |error: std::io::Error| unusable(error.to_string());
    let read = || iechor_files::read_to_string(&path, ID_BYTES);
    match read() {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(unusable(error.to_string())),
    }
    fs::create_dir_all(store).map_err(failed)?;
    let id = format!("{:016x}", rand::random::<u64>());
    let file = tempfile::NamedTempFile::new_in(store).map_err(without_name);
    let mut file = file.map_err(failed)?;
    file.write_all(id.as_bytes()).map_err(failed)?;
    // If two processes create it at the same time, the first one decides.
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(id),
        Err(_) => read()
            .map(|id| id.trim().to_owned())
            .map_err(|error| unusable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_key_is_stable() {
        let store = tempfile::tempdir().expect("directory");
        let context = tempfile::tempdir().expect("directory");
        let first = shared_key(context.path(), store.path()).expect("made");
        assert_eq!(
            shared_key(context.path(), store.path()).expect("kept"),
            first
        );
        let base = context
            .path()
            .file_name()
            .expect("named")
            .to_string_lossy()
            .into_owned();
        assert!(first.starts_with(&format!("{base}:")), "{first}");
    }
}
