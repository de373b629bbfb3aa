//! Components in files.

use std::fs;
use std::path::{Path, PathBuf};

use iechor_files::FileError;
use iechor_registry::Digest;

use crate::error::CatalogError;
use crate::source::unreadable;

/// The file that is used if a directory contains several components.
const PREFERRED: &str = "driver.wasm";
const EXTENSION: &str = "wasm";

/// A component that was read from a file.
#[derive(Debug)]
pub(crate) struct OnDisk {
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// Digest of the component.
    pub(crate) digest: Digest,
    /// Path of the file, without symbolic links.
    pub(crate) file: PathBuf,
}

/// Reads the component of a file or directory, with at most `limit` bytes.
///
/// # Errors
///
/// Returns an error if there is none, or it does not have the expected digest.
pub(crate) fn read_component(
    path: &Path,
    expected: Option<&Digest>,
    limit: u64,
) -> Result<OnDisk, CatalogError> {
    let (file, bytes) = read(&find(path)?, limit)?;
    let digest = Digest::of(&bytes);
    match expected {
        Some(expected) if *expected != digest => Err(CatalogError::Mismatch {
            path: file,
            expected: expected.clone(),
            found: digest,
        }),
        _ => Ok(OnDisk {
            bytes,
            digest,
            file,
        }),
    }
}

/// Returns the file of the component: the path itself, or `driver.wasm` or the only component of a
/// directory.
fn find(path: &Path) -> Result<PathBuf, CatalogError> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(path.to_owned());
    }
    let preferred = path.join(PREFERRED);
    if preferred.is_file() {
        return Ok(preferred);
    }
    let mut components = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        if file.is_file() && file.extension().is_some_and(|ending| ending == EXTENSION) {
            components.push(file);
        }
    }
    components.sort();
    match components.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CatalogError::Unreadable {
            path: path.to_owned(),
            reason: "the directory contains no .wasm file; build the driver, or name the file"
                .into(),
        }),
        several => {
            let names: Vec<_> = several
                .iter()
                .filter_map(|file| file.file_name())
                .map(|name| name.to_string_lossy())
                .collect();
            Err(CatalogError::Unreadable {
                path: path.to_owned(),
                reason: format!(
                    "the directory contains several .wasm files but no {PREFERRED}; name one \
                     of: {}",
                    names.join(", ")
                ),
            })
        }
    }
}

/// Reads a file, and returns its path without symbolic links and its contents.
fn read(path: &Path, limit: u64) -> Result<(PathBuf, Vec<u8>), CatalogError> {
    let failed = |error| match error {
        FileError::System(error) => unreadable(path, &error),
        FileError::TooLarge(limit) => CatalogError::TooLarge {
            path: path.to_owned(),
            limit,
        },
        other => CatalogError::Unreadable {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    };
    let file = iechor_files::open(path).map_err(failed)?;
    let real = file.real_path().map_err(failed)?;
    Ok((real, file.read(limit).map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LIMIT: u64 = 8;

    fn fails(path: &Path, expected: Option<&Digest>) -> String {
        read_component(path, expected, LIMIT)
            .expect_err("fails")
            .to_string()
    }

    #[test]
    fn a_directory_holds_one_component_or_says_which() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, name).expect("written");
            path
        };
        assert!(fails(directory.path(), None).contains("no .wasm file"));
        file("read.me");
        let a = file("a.wasm");
        let fetched = read_component(directory.path(), None, LIMIT).expect("the only one");
        assert_eq!(fetched.bytes, b"a.wasm");
        assert_eq!(fetched.digest, Digest::of(b"a.wasm"));
        let real = a.canonicalize().expect("there");
        assert_eq!(fetched.file, real);

        file("b.wasm");
        let error = fails(directory.path(), None);
        assert!(error.contains("name one of: a.wasm, b.wasm"), "{error}");
        fs::write(directory.path().join(PREFERRED), "own").expect("written");
        let fetched = read_component(directory.path(), None, LIMIT).expect("the preferred one");
        assert_eq!(fetched.bytes, b"own");
    }

    #[test]
    fn it_is_from_the_file_that_links_lead_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().canonicalize().expect("there");
        fs::write(root.join("real"), "a").expect("written");
        fs::create_dir(root.join("sub")).expect("made");
        symlink("../real", root.join("sub/driver.wasm")).expect("linked");
        for path in ["sub", "sub/driver.wasm", "real"] {
            let fetched = read_component(&root.join(path), None, LIMIT).expect("a file");
            assert_eq!(fetched.file, root.join("real"), "{path}");
            assert_eq!(fetched.digest, Digest::of(b"a"), "{path}");
        }
    }

    #[test]
    fn nobody_waits_for_a_pipe() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("a.wasm");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
        assert!(fails(&pipe, None).contains("not a regular file"));
    }

    #[test]
    fn another_digest_or_size_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.wasm");
        fs::write(&path, "12345678").expect("written");
        let right = Digest::of(b"12345678");
        assert!(read_component(&path, Some(&right), LIMIT).is_ok());
        let error = fails(&path, Some(&Digest::of(b"")));
        assert!(error.contains(right.as_str()), "{error}");
        assert!(error.contains(Digest::of(b"").as_str()), "{error}");
        fs::write(&path, "123456789").expect("written");
        assert!(fails(&path, None).contains("too large"));
        let none = directory.path().join("none.wasm");
        let error = read_component(&none, None, LIMIT).expect_err("there is none");
        assert!(matches!(error, CatalogError::Missing { .. }), "{error}");
        assert!(fails(Path::new("/dev/null"), None).contains("not a regular file"));
    }
}
