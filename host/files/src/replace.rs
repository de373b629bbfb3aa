//! Replaces files atomically: a reader sees the old content or the new content, never a part.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::output::without_name;
use crate::owner::Owner;

/// Prefix of the names of temporary files. It identifies files that killed processes left.
pub const TEMPORARY_PREFIX: &str = ".iechor-tmp-";

/// Options of a replacement. The default is suitable for a cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replacement<'a> {
    /// Directory of the temporary file, on the same file system as the file (default: the directory of
    /// the file).
    pub temporary_in: Option<&'a Path>,
    /// New owner of the file.
    pub owner: Option<Owner>,
    /// Whether the content must survive a power failure.
    pub durable: bool,
}

/// Creates or replaces the file, readable only for its owner (mode 0600). `path` has the old content or
/// the new content even if this process is killed.
///
/// # Errors
///
/// Returns an error if the temporary file cannot be written or renamed. The temporary file is removed.
pub fn replace(path: &Path, data: &[u8], how: Replacement<'_>) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = how.temporary_in.or(parent).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(directory)
        .map_err(without_name)?;
    let file = temporary.as_file_mut();
    if let Some(owner) = how.owner {
        owner.give(file)?;
    }
    file.write_all(data)?;
    if how.durable {
        file.sync_all()?;
    }
    temporary.persist(path).map_err(|error| error.error)?;
    // The name must survive a power failure, too. Not all file systems support this.
    if how.durable
        && let Some(parent) = parent
    {
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let path = Path::new("/nonexistent/directory/file");
        let error = replace(path, b"", Replacement::default()).expect_err("no directory");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(TEMPORARY_PREFIX), "{error}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_is_private() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a");
        for (data, durable) in [("one", false), ("two", true)] {
            let how = Replacement {
                durable,
                ..Replacement::default()
            };
            replace(&path, data.as_bytes(), how).expect("written");
            assert_eq!(std::fs::read(&path).expect("there"), data.as_bytes());
        }
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let files = std::fs::read_dir(directory.path()).expect("listed");
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a");
        // A file does not replace a directory.
        std::fs::create_dir(&path).expect("made");
        assert!(replace(&path, b"x", Replacement::default()).is_err());
        assert!(path.is_dir());
        let files = std::fs::read_dir(directory.path()).expect("listed");
        assert_eq!(files.count(), 1);
    }
}
