//! The user's files of a node: `buildkitd.toml` and the certificates and keys that it names.
//!
//! They are for BuildKit, not for the driver, and may be private keys. So a driver gets only their paths
//! and permissions. When it copies one of them into a container, to the path where BuildKit looks for it,
//! the host fills in the contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use iechor_engine::model;

use crate::bindings::contract::File;
use crate::limits;

/// The directory of a container in which BuildKit looks for the user's files. They are copied nowhere
/// else.
pub const NODE_FILES_DIRECTORY: &str = "/etc/buildkit";

/// What the host has of one file.
struct Stored {
    mode: u32,
    contents: Vec<u8>,
}

/// The user's files of a node, by their paths below [`NODE_FILES_DIRECTORY`].
#[derive(Clone, Default)]
pub(crate) struct NodeFiles(Arc<BTreeMap<String, Stored>>);

/// Leaves out the contents, which may be private keys.
impl fmt::Debug for NodeFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Checks paths and sizes of the files of a node. They come from the store, which other programs can
/// write to.
///
/// # Errors
///
/// A description of what is wrong with them.
pub fn check_node_files<'a>(
    files: impl IntoIterator<Item = (&'a str, usize)>,
) -> Result<(), String> {
    let (mut count, mut bytes) = (0, 0_usize);
    for (path, size) in files {
        if path.len() > limits::NODE_FILE_PATH {
            return Err(format!(
                "the path of a file has {} bytes; it may have {}",
                path.len(),
                limits::NODE_FILE_PATH
            ));
        }
        if !is_below(path) {
            return Err(format!(
                "the path {path:?} of a file does not stay below {NODE_FILES_DIRECTORY}"
            ));
        }
        count += 1;
        bytes = bytes.saturating_add(size);
    }
    if count > limits::NODE_FILES || bytes > limits::NODE_FILE_BYTES {
        return Err(format!(
            "there are {count} files with {} KiB; a node may have {} files with {} KiB",
            bytes >> 10,
            limits::NODE_FILES,
            limits::NODE_FILE_BYTES >> 10
        ));
    }
    Ok(())
}

/// Returns whether a relative path stays below where it begins, and is the only way to write it.
fn is_below(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl NodeFiles {
    /// Takes the contents out of a configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with its files, in words; see [`check_node_files`].
    pub(crate) fn take(files: &mut [File]) -> Result<Self, String> {
        check_node_files(
            files
                .iter()
                .map(|file| (file.path.as_str(), file.contents.len())),
        )?;
        let mut stored = BTreeMap::new();
        for file in files {
            file.mode &= 0o666;
            let taken = Stored {
                mode: file.mode,
                contents: std::mem::take(&mut file.contents),
            };
            if stored.insert(file.path.clone(), taken).is_some() {
                return Err(format!("there are two files {:?}", file.path));
            }
        }
        Ok(Self(Arc::new(stored)))
    }

    /// Returns permissions and contents of the file of that path.
    pub(crate) fn get(&self, path: &str) -> Option<(u32, &[u8])> {
        let stored = self.0.get(path)?;
        Some((stored.mode, &stored.contents))
    }

    /// Begins a copy of files to `target`, an absolute path in a container.
    pub(crate) fn copy_to(&self, target: &str) -> Copying<'_> {
        Copying {
            files: &self.0,
            target: normalized(target),
            done: BTreeSet::new(),
        }
    }
}

/// One copy of files into a container.
pub(crate) struct Copying<'a> {
    files: &'a BTreeMap<String, Stored>,
    target: String,
    /// Those of the user's files that were filled in.
    done: BTreeSet<&'a str>,
}

impl Copying<'_> {
    /// Fills in what the user gave where an empty file is one of the user's at its place; leaves any
    /// other file as it is. The path of the file is one without `.` and `..`.
    ///
    /// # Errors
    ///
    /// In words: where one of the user's files is meant for another place, where it would come to
    /// nothing, or is copied twice, which would multiply it in memory.
    pub(crate) fn fill(&mut self, file: File) -> Result<model::File, String> {
        let File {
            path,
            mode,
            contents,
        } = file;
        let plain = |contents| model::File {
            path: path.clone(),
            mode: mode & 0o7777,
            contents,
        };
        if !contents.is_empty() {
            return Ok(plain(contents));
        }
        let place = format!("{}/{path}", self.target);
        let below = place
            .strip_prefix(NODE_FILES_DIRECTORY)
            .and_then(|rest| rest.strip_prefix('/'));
        if let Some((name, stored)) = below.and_then(|path| self.files.get_key_value(path)) {
            if !self.done.insert(name) {
                return Err(format!("{place:?} is copied twice"));
            }
            return Ok(model::File {
                // A driver can only take permissions away: a key stays its owner's.
                mode: mode & stored.mode,
                path,
                contents: stored.contents.clone(),
            });
        }
        let is_meant = |name: &&String| {
            place
                .strip_suffix(name.as_str())
                .is_some_and(|rest| rest.ends_with('/'))
        };
        match self.files.keys().find(is_meant) {
            Some(name) => Err(format!(
                "{place:?} is not where the user's file {name:?} can go; the host has what is in \
                 it, and puts it to {NODE_FILES_DIRECTORY}/{name} only"
            )),
            None => Ok(plain(contents)),
        }
    }
}

/// Returns an absolute path without `.` and empty parts; the root is the empty text.
fn normalized(path: &str) -> String {
    path.split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .map(|part| format!("/{part}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, mode: u32, contents: &str) -> File {
        File {
            path: path.into(),
            mode,
            contents: contents.into(),
        }
    }

    fn stored() -> NodeFiles {
        let mut files = [
            file("buildkitd.toml", 0o644, "toml"),
            file("certs/r/key.pem", 0o600, "key"),
            file("empty", 0o644, ""),
        ];
        let stored = NodeFiles::take(&mut files).expect("taken");
        assert!(files.iter().all(|file| file.contents.is_empty()));
        stored
    }

    fn copied(target: &str, files: &[File]) -> Result<Vec<model::File>, String> {
        let stored = stored();
        let mut copy = stored.copy_to(target);
        files.iter().map(|file| copy.fill(file.clone())).collect()
    }

    #[test]
    fn the_users_files_are_filled_in_at_their_places_only() {
        for (target, path, expected) in [
            ("/etc/buildkit", "certs/r/key.pem", Ok("key")),
            ("/etc", "buildkit/certs/r/key.pem", Ok("key")),
            ("/", "etc/buildkit/certs/r/key.pem", Ok("key")),
            ("//etc/./buildkit/", "certs/r/key.pem", Ok("key")),
            ("/etc/buildkit/certs", "r/key.pem", Ok("key")),
            // What is nothing of the user's stays as it is.
            ("/etc/buildkit", "certs/r/other.pem", Ok("")),
            ("/etc/buildkit", "my-buildkitd.toml", Ok("")),
            ("/etc/buildkit", "empty", Ok("")),
            // Any other place, where a driver would be left with an empty file.
            ("/etc", "buildkitd.toml", Err("\"/etc/buildkitd.toml\"")),
            (
                "/tmp",
                "certs/r/key.pem",
                Err("/etc/buildkit/certs/r/key.pem"),
            ),
            ("/etc/buildkit", "etc/buildkit/buildkitd.toml", Err("only")),
            ("/etc/buildkitd", "buildkitd.toml", Err("only")),
        ] {
            let found = copied(target, &[file(path, 0o777, "")]);
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found[0].contents, expected.as_bytes(), "{target} {path}");
                    assert_eq!(found[0].path, path);
                }
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                (found, _) => panic!("{target} {path}: {found:?}"),
            }
        }
        // What a driver says itself is its own file.
        let own = copied("/tmp", &[file("buildkitd.toml", 0o755, "mine")]).expect("its own");
        assert_eq!(
            (own[0].mode, own[0].contents.as_slice()),
            (0o755, &b"mine"[..])
        );
    }

    #[test]
    fn a_driver_cannot_widen_the_permissions_of_a_users_file() {
        for (asked, expected) in [(0o7777, 0o600), (0o644, 0o600), (0o400, 0o400)] {
            let found = copied("/etc/buildkit", &[file("certs/r/key.pem", asked, "")]);
            assert_eq!(found.expect("copied")[0].mode, expected);
        }
        let mut odd = [file("a", 0o7777, "x")];
        let odd = NodeFiles::take(&mut odd).expect("taken");
        let found = odd.copy_to("/etc/buildkit").fill(file("a", 0o7777, ""));
        assert_eq!(found.expect("copied").mode, 0o666);
    }

    #[test]
    fn one_copy_multiplies_nothing() {
        let twice = vec![file("buildkitd.toml", 0o644, ""); 2];
        let said = copied("/etc/buildkit", &twice).expect_err("copied");
        assert!(said.contains("copied twice"), "{said}");
    }

    #[test]
    fn paths_and_sizes_from_the_store_are_checked() {
        let long = "x".repeat(limits::NODE_FILE_PATH + 1);
        for path in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            "./a",
            "a\\b",
            "a\0b",
        ] {
            let said = check_node_files([(path, 1)]).expect_err(path);
            assert!(said.contains("does not stay below"), "{said}");
        }
        let said = check_node_files([(long.as_str(), 1)]).expect_err("too long");
        assert!(said.contains("1025 bytes"), "{said}");
        let most = limits::NODE_FILE_BYTES;
        assert!(check_node_files([("a", most)]).is_ok());
        for bytes in [most, usize::MAX] {
            let said = check_node_files([("a", bytes), ("b", 1)]).expect_err("too large");
            assert!(said.contains("a node may have"), "{said}");
        }
        let names: Vec<_> = (0..=limits::NODE_FILES).map(|n| n.to_string()).collect();
        let files = || names.iter().map(|name| (name.as_str(), 1));
        assert!(check_node_files(files()).is_err());
        assert!(check_node_files(files().skip(1)).is_ok());
        let twice = NodeFiles::take(&mut [file("a", 0, "1"), file("a", 0, "2")]);
        assert!(twice.expect_err("twice").contains("two files"));
    }

    #[test]
    fn debug_output_holds_no_contents() {
        let text = format!("{:?}", stored());
        assert!(
            !text.contains("toml\"]") && text.contains("key.pem"),
            "{text}"
        );
        assert!(!text.contains("107"), "{text}");
    }
}
