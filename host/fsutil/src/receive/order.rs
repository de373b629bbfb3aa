//! Whether entries come as they must: clean relative paths, in the order of a walk, below
//! directories that came before. This is what keeps a sender from writing elsewhere, together
//! with opening everything beneath the destination.

use crate::name::{shown, split};

/// An entry that a sender must not offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The path is empty, absolute, not clean, or leads out of the root.
    #[error("path `{path}` is not a clean relative path without `..`")]
    Path {
        /// The path as it was sent.
        path: String,
    },
    /// The directory was not sent before, or was left already.
    #[error("`{path}` is out of order: its directory does not come before it")]
    Directory {
        /// The path as it was sent.
        path: String,
    },
    /// A sibling with the same or a greater name was sent before.
    #[error("`{path}` is out of order: it comes after `{previous}`")]
    Sibling {
        /// The path as it was sent.
        path: String,
        /// The name of the sibling.
        previous: String,
    },
}

/// A directory that entries may still come for.
struct Level {
    id: Option<u32>,
    /// How much of [`Order::directory`] is its path.
    path_length: usize,
    /// The name that came last in it.
    last: Vec<u8>,
}

/// Checks the entries of a transfer one by one.
pub(super) struct Order {
    /// The path of the deepest level.
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

    /// Accepts the next entry, and returns the number of the directory that it is in.
    pub(super) fn accept(&mut self, path: &[u8]) -> Result<Option<u32>, OrderError> {
        let is_clean = path
            .split(|byte| *byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b"..") && !part.contains(&0));
        if !is_clean {
            return Err(OrderError::Path { path: shown(path) });
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

    /// The entry accepted last is a directory with this number.
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

    /// Paths that end in a slash are directories. Says which path is refused, if any.
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
            // `foo-bar` before `foo/` is in disorder, the other way round is not.
            let refused = if refused == "foo-bar/" {
                "foo/"
            } else {
                refused
            };
            assert_eq!(found.map(|(path, _)| path), Some(refused), "{paths:?}");
        }
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
