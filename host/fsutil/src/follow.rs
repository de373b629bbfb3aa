//! Followed paths: the targets of symlinks are sent together with the symlinks.
//!
//! BuildKit requests the `Dockerfile` and the sources of `COPY` by path. If such a path contains
//! symlinks, the links and their targets become include patterns. Links are resolved as if the root
//! of the context were the root of the file system, so none leads out of it. The rules are those of
//! `followlinks.go` of fsutil.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::glob;
use crate::name::{clean, join, split};

/// A path could not be followed.
#[derive(Debug, thiserror::Error)]
#[error("cannot follow `{}`", path.display())]
pub struct FollowError {
    /// File or directory that could not be read.
    pub path: PathBuf,
    /// Reason of the failure.
    pub source: io::Error,
}

/// Maximum number of symlinks that are followed for one path, as in BuildKit. The kernel follows 40.
const LINKS_IN_A_PATH: u16 = 255;

/// Maximum number of paths that the followed paths of one filter can lead to. Wildcards multiply them
/// at each link.
const MOST_PATHS: usize = 1 << 18;

/// Returns the include patterns for paths: sorted, none below another; `None` if one of them is the
/// root itself, so that nothing is filtered. Returns early if `stop` becomes true.
pub(crate) fn follow(
    root: &Path,
    paths: &[Vec<u8>],
    stop: &AtomicBool,
) -> Result<Option<Vec<Vec<u8>>>, FollowError> {
    follow_to(MOST_PATHS, root, paths, stop)
}

fn follow_to(
    most_paths: usize,
    root: &Path,
    paths: &[Vec<u8>],
    stop: &AtomicBool,
) -> Result<Option<Vec<Vec<u8>>>, FollowError> {
    let mut resolver = Resolver {
        root,
        most_paths,
        stop,
        resolved: BTreeSet::new(),
        seen: HashSet::new(),
        waiting: Vec::new(),
    };
    for path in paths {
        resolver.add(join(b".", path), 0);
        resolver.resolve()?;
    }
    Ok(without_nested(resolver.resolved))
}

/// Removes paths below another path; returns `None` if the root is among them. Like BuildKit, this
/// compares with the last kept path only, which is enough in a sorted list.
pub(crate) fn without_nested(paths: impl IntoIterator<Item = Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for path in paths {
        if path == b"." {
            return None;
        }
        let last = kept.last().map_or(&b""[..], Vec::as_slice);
        let is_nested = path
            .strip_prefix(last)
            .is_some_and(|rest| rest.starts_with(b"/"));
        if !is_nested {
            kept.push(path);
        }
    }
    Some(kept)
}

struct Resolver<'a> {
    root: &'a Path,
    most_paths: usize,
    stop: &'a AtomicBool,
    /// Links, and what is at the end of the paths.
    resolved: BTreeSet<Vec<u8>>,
    /// Paths that are or were waiting. A path is resolved only once, so loops of links end.
    seen: HashSet<Vec<u8>>,
    /// Paths that are yet to be resolved, with the number of links that led to each.
    waiting: Vec<(Vec<u8>, u16)>,
}

impl Resolver<'_> {
    fn add(&mut self, path: Vec<u8>, links: u16) {
        if links <= LINKS_IN_A_PATH && self.seen.insert(path.clone()) {
            self.waiting.push((path, links));
        }
    }

    /// Resolves the waiting paths, and those that they lead to. A list, because a chain of links can be
    /// too long for recursion.
    ///
    /// BuildKit's client resolves every link only once. Of two paths through the same link, it sends
    /// the target of the first only.
    fn resolve(&mut self) -> Result<(), FollowError> {
        while let Some((path, links)) = self.waiting.pop() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if self.seen.len() > self.most_paths {
                return Err(FollowError {
                    path: self.root.join(OsStr::from_bytes(&path)),
                    source: io::Error::other(format!(
                        "symlinks lead to more than {} paths",
                        self.most_paths
                    )),
                });
            }
            let mut current = b".".to_vec();
            let mut rest = &path[..];
            loop {
                let (first, behind) = match rest.iter().position(|byte| *byte == b'/') {
                    Some(slash) => (&rest[..slash], &rest[slash + 1..]),
                    None => (rest, &b""[..]),
                };
                current = join(&current, first);
                let targets = self.targets(&current, true)?;
                if behind.is_empty() || !targets.is_empty() {
                    for target in targets {
                        let target = join(b".", &join(&target, behind));
                        self.add(target, links + 1);
                    }
                    self.resolved.insert(current);
                    break;
                }
                rest = behind;
            }
        }
        Ok(())
    }

    /// Returns the target of a path that is a link. For a path that ends in a wildcard, returns the
    /// targets of all links that it matches.
    fn targets(&self, path: &[u8], wildcards: bool) -> Result<Vec<Vec<u8>>, FollowError> {
        // Paths above the root are ignored: they can match nothing.
        if path.starts_with(b"..") && matches!(path.get(2), None | Some(b'/')) {
            return Ok(Vec::new());
        }
        let (directory, base) = split(path);
        if wildcards && has_wildcards(base) {
            let mut targets = Vec::new();
            for name in self.names(directory, base)? {
                targets.extend(self.targets(&join(directory, &name), false)?);
            }
            return Ok(targets);
        }
        let real = self.root.join(OsStr::from_bytes(path));
        let is_link = match std::fs::symlink_metadata(&real) {
            Ok(metadata) => metadata.file_type().is_symlink(),
            Err(error) if is_missing(&error) => false,
            Err(source) => return Err(FollowError { path: real, source }),
        };
        if !is_link {
            return Ok(Vec::new());
        }
        match std::fs::read_link(&real) {
            Ok(target) => {
                let target = clean(target.as_os_str().as_bytes());
                let target = if target.starts_with(b"/") {
                    target
                } else {
                    join(b"/", &join(directory, &target))
                };
                Ok(vec![target])
            }
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            Err(source) => Err(FollowError { path: real, source }),
        }
    }

    /// Returns the names in a directory that match a pattern, sorted.
    fn names(&self, directory: &[u8], pattern: &[u8]) -> Result<Vec<Vec<u8>>, FollowError> {
        let real = self.root.join(OsStr::from_bytes(directory));
        let read = || -> io::Result<Vec<Vec<u8>>> {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&real)? {
                let name = entry?.file_name().into_vec();
                if glob::matches(pattern, &name) {
                    names.push(name);
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        match read() {
            Ok(names) => Ok(names),
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            Err(source) => Err(FollowError { path: real, source }),
        }
    }
}

/// Returns whether the file does not exist, or a part of its path is not a directory.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn has_wildcards(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
