//! Checks that entries have clean relative paths, come in the order of a walk, and are below
//! directories that came before. Together with opening everything beneath the destination, this
//! prevents a sender from writing elsewhere.

use crate::name::{shown, split};

/// Maximum length of a path, in bytes. The kernel's limit includes a zero at the end.
const LONGEST_PATH: usize = libc::PATH_MAX as usize - 1;

/// An entry that a sender must not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The path is empty, absolute, not clean, or leads out of the root.
    #[error("path `{path}` is not a clean relative path without `..`")]
    Path {
        /// Path as it was sent.
        path: String,
    },
    /// The path is longer than the kernel accepts.
    #[error("path `{path}` is longer than {} bytes", LONGEST_PATH)]
    Long {
        /// Path as it was sent.
        path: String,
    },
    /// The directory of the entry was not sent before, or the walk has already left it.
    #[error("`{path}` is out of order: its directory does not come before it")]
    Directory {
        /// Path as it was sent.
        path: String,
    },
    /// A sibling with the same or a greater name was sent before.
    #[error("`{path}` is out of order: it comes after `{previous}`")]
    Sibling {
        /// Path as it was sent.
        path: String,
        /// Name of the sibling.
        previous: String,
    },
}

/// A directory that may still get entries.
struct Level {
    id: Option<u32>,
    /// Length of its path in [`Order::directory`].
    path_length: usize,
    /// Last name in the directory.
    last: Vec<u8>,
}

/// Checks the entries of a transfer one by one.
pub(super) struct Order {
    /// Path of the deepest level.
    directory: Vec<u8>,
    levels: Vec<Level>,
}

impl Order {
    pub(super) fn new() -> Self {
        let root = Level {
            id: None,
            path_length: 0,
            last: Vec::new(),
        };
        Self {
            directory: Vec::new(),
            levels: vec![root],
        }
    }

    /// Accepts the next entry, and returns the number of its directory.
    pub(super) fn accept(&mut self, path: &[u8]) -> Result<Option<u32>, OrderError> {
        let is_clean = path
            .split(|byte| *byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b"..") && !part.contains(&0));
        if !is_clean {
            return Err(OrderError::Path { path: shown(path) });
        }
        if path.len() > LONGEST_PATH {
            return Err(OrderError::Long { path: shown(path) });
        }
        let (directory, name) = split(path);
        while self.levels.len() > 1 && self.directory != directory {
            self.levels.pop();
            let length = self.levels.last().map_or(0, |level| level.path_length);
            self.directory.truncate(length);
        }
        let Some(level) = self
            .levels
            .last_mut()
            .filter(|_| self.directory == directory)
        else {
            return Err(OrderError::Directory { path: shown(path) });
        };
        if level.last.as_slice() >= name {
            let previous = shown(&level.last);
            return Err(OrderError::Sibling {
                path: shown(path),
                previous,
            });
        }
        level.last.clear();
        level.last.extend_from_slice(name);
        Ok(level.id)
    }

    /// Declares that the last accepted entry is a directory with this number.
    pub(super) fn enter(&mut self, path: &[u8], id: u32) {
        self.directory.clear();
        self.directory.extend_from_slice(path);
        self.levels.push(Level {
            id: Some(id),
            path_length: path.len(),
            last: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first refused path, if any. Paths that end in a slash are directories.
    fn first_refused<'a>(paths: &[&'a str]) -> Option<(&'a str, OrderError)> {
        let mut order = Order::new();
        for (id, path) in paths.iter().enumerate() {
            let clean = path.strip_suffix('/').unwrap_or(path).as_bytes();
            if let Err(error) = order.accept(clean) {
                return Some((path, error));
            }
            if path.ends_with('/') {
                order.enter(clean, id as u32);
            }
        }
        None
    }

    #[test]
    fn the_order_of_a_walk() {
        for paths in [
            &[][..],
            &["a"],
            &["a", "b", "c/", "c/a", "d"],
            &["foo/", "foo/x", "foo-bar"],
            &["a/", "a/b/", "a/b/c", "a/c", "b"],
            &["a/", "a/b/", "a/b/c/", "b/", "b/a"],
            &["...", "..a", ".a"],
        ] {
            assert_eq!(first_refused(paths), None, "{paths:?}");
        }
    }

    #[test]
    fn disorder() {
        for (paths, refused) in [
            (&["b", "a"][..], "a"),
            (&["a", "a"], "a"),
            (&["a/", "a/"], "a/"),
            (&["a/b"], "a/b"),
            (&["a", "a/b"], "a/b"),
            (&["a/", "b/", "a/b"], "a/b"),
            (&["a/", "a/b/", "a/c", "a/b/d"], "a/b/d"),
            (&["foo-bar", "foo/"], "foo-bar/"),
            (&["a/", "a/b", "a/a"], "a/a"),
            (&["a/", "ab/x"], "ab/x"),
        ] {
            let found = first_refused(paths);
            // `foo-bar` before `foo/` is the wrong order, the reverse is not.
            let refused = if refused == "foo-bar/" {
                "foo/"
            } else {
                refused
            };
            assert_eq!(found.map(|(path, _)| path), Some(refused), "{paths:?}");
        }
    }

    #[test]
    fn long_paths() {
        let longest = [b'x'; LONGEST_PATH + 1];
        assert!(Order::new().accept(&longest[1..]).is_ok());
        assert!(matches!(
            Order::new().accept(&longest),
            Err(OrderError::Long { .. })
        ));
    }

    #[test]
    fn paths_that_lead_elsewhere() {
        for path in [
            "", ".", "..", "../x", "/x", "/", "a/../b", "a//b", "./a", "a/.", "a/..", "a\0b",
        ] {
            let mut order = Order::new();
            let error = OrderError::Path {
                path: shown(path.as_bytes()),
            };
            assert_eq!(order.accept(path.as_bytes()), Err(error), "{path:?}");
        }
        let mut order = Order::new();
        assert!(order.accept(b"a/").is_err());
    }
}
