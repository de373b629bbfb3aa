//! The sizes of the directories of a transfer, for a message about what makes it large.

use crate::mode;
use crate::name::shown;
use crate::wire::StatRef;

/// Number of directories that are named.
const NAMED: usize = 3;

/// A directory inside another one stands for it if it has this share of its size, in percent.
const DOMINANT: u64 = 80;

/// The size of everything that a sender offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Size of all files, in bytes.
    pub bytes: u64,
    /// The largest directories, the largest first: at most three, none within another. A directory is
    /// named by the directory inside it that has almost all of its size.
    pub largest: Vec<DirectorySize>,
}

/// The size of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectorySize {
    /// Path relative to the root. Bytes that are not text, and control characters, are escaped.
    pub path: String,
    /// Size of all files in it, in bytes.
    pub bytes: u64,
}

/// Adds up sizes during a walk. Keeps the directories above the current entry only.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    total: u64,
    open: Vec<Open>,
    largest: Vec<DirectorySize>,
}

/// A directory above the current entry.
#[derive(Debug)]
struct Open {
    path: Vec<u8>,
    bytes: u64,
    /// The largest directory in it.
    inner: Option<DirectorySize>,
}

impl Sizes {
    /// Adds the next entry of the walk.
    pub(crate) fn add(&mut self, stat: &StatRef<'_>) {
        while let Some(open) = self.open.last() {
            let rest = stat.path.strip_prefix(open.path.as_slice());
            if rest.is_some_and(|rest| rest.starts_with(b"/")) {
                break;
            }
            self.close();
        }
        if stat.mode & mode::TYPE == mode::DIRECTORY {
            self.open.push(Open {
                path: stat.path.to_vec(),
                bytes: 0,
                inner: None,
            });
        } else if mode::is_requestable(stat.mode) && stat.link_name.is_empty() {
            let bytes = u64::try_from(stat.size).unwrap_or_default();
            self.total = self.total.saturating_add(bytes);
            if let Some(open) = self.open.last_mut() {
                open.bytes = open.bytes.saturating_add(bytes);
            }
        }
    }

    /// Ends the walk.
    pub(crate) fn finish(mut self) -> Offered {
        while !self.open.is_empty() {
            self.close();
        }
        Offered {
            bytes: self.total,
            largest: self.largest,
        }
    }

    /// Leaves a directory.
    fn close(&mut self) {
        let Some(closed) = self.open.pop().filter(|closed| closed.bytes > 0) else {
            return;
        };
        let is_dominant = |inner: &DirectorySize| {
            inner.bytes.saturating_mul(100) >= closed.bytes.saturating_mul(DOMINANT)
        };
        let size = match closed.inner.filter(is_dominant) {
            Some(inner) => inner,
            None => DirectorySize {
                path: shown(&closed.path),
                bytes: closed.bytes,
            },
        };
        match self.open.last_mut() {
            Some(parent) => {
                parent.bytes = parent.bytes.saturating_add(closed.bytes);
                if parent
                    .inner
                    .as_ref()
                    .is_none_or(|inner| inner.bytes < size.bytes)
                {
                    parent.inner = Some(size);
                }
            }
            None => {
                let at = self
                    .largest
                    .partition_point(|other| other.bytes >= size.bytes);
                self.largest.insert(at, size);
                self.largest.truncate(NAMED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: u32 = 1 << 31;

    fn offered(entries: &[(&str, u32, i64)]) -> Offered {
        let mut sizes = Sizes::default();
        for (path, mode, size) in entries {
            sizes.add(&StatRef {
                path: path.as_bytes(),
                mode: *mode,
                size: *size,
                ..StatRef::default()
            });
        }
        sizes.finish()
    }

    fn named(offered: &Offered) -> Vec<(&str, u64)> {
        let largest = offered.largest.iter();
        largest
            .map(|size| (size.path.as_str(), size.bytes))
            .collect()
    }

    #[test]
    fn the_largest_directories_are_named() {
        let offered = offered(&[
            (".git", DIRECTORY, 0),
            (".git/objects", DIRECTORY, 0),
            (".git/objects/pack", DIRECTORY, 0),
            (".git/objects/pack/a.pack", 0o644, 500),
            (".git/config", 0o644, 5),
            ("a", DIRECTORY, 0),
            ("a/one", DIRECTORY, 0),
            ("a/one/x", 0o644, 40),
            ("a/two", DIRECTORY, 0),
            ("a/two/x", 0o644, 60),
            ("ab", 0o644, 1000),
            ("b", DIRECTORY, 0),
            ("b/x", 0o644, 10),
            ("c", DIRECTORY, 0),
            ("c/x", 0o644, 20),
            ("empty", DIRECTORY, 0),
        ]);
        assert_eq!(offered.bytes, 1635);
        assert_eq!(
            named(&offered),
            [(".git/objects/pack", 500), ("a", 100), ("c", 20)]
        );
    }

    #[test]
    fn a_file_beside_a_directory_with_the_same_beginning() {
        let offered = offered(&[
            ("a", DIRECTORY, 0),
            ("a/x", 0o644, 1),
            ("a-b", DIRECTORY, 0),
            ("a-b/x", 0o644, 2),
        ]);
        assert_eq!(named(&offered), [("a-b", 2), ("a", 1)]);
    }

    #[test]
    fn hard_links_count_once() {
        let mut sizes = Sizes::default();
        for link_name in [&b""[..], b"a"] {
            sizes.add(&StatRef {
                path: b"x",
                mode: 0o644,
                size: 7,
                link_name,
                ..StatRef::default()
            });
        }
        assert_eq!(sizes.finish().bytes, 7);
    }
}
