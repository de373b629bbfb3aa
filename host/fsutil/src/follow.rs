//! Followed paths: the targets of symlinks are sent together with the symlinks.
//!
//! BuildKit requests the `Dockerfile` and the sources of `COPY` by path. If such a path contains
//! symlinks, the links and their targets become include patterns. Links are resolved as if the root
//! of the context were the root of the file system, so none leads out of it. The rules are those of
//! `followlinks.go` of fsutil.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

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

/// Returns the include patterns for paths: sorted, none below another; `None` if one of them is the
/// root itself, so that nothing is filtered.
pub(crate) fn follow(root: &Path, paths: &[String]) -> Result<Option<Vec<Vec<u8>>>, FollowError> {
    let mut resolver = Resolver {
        root,
        resolved: BTreeSet::new(),
    };
    for path in paths {
        resolver.add(path.as_bytes())?;
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
    resolved: BTreeSet<Vec<u8>>,
}

impl Resolver<'_> {
    /// A link is resolved only once, so loops of links end.
    fn add(&mut self, path: &[u8]) -> Result<(), FollowError> {
        let path = join(b".", path);
        let mut rest: &[u8] = &path;
        let mut current = b".".to_vec();
        loop {
            let (first, behind) = match rest.iter().position(|byte| *byte == b'/') {
                Some(slash) => (&rest[..slash], &rest[slash + 1..]),
                None => (rest, &b""[..]),
            };
            current = join(&current, first);
            let targets = self.targets(&current, true)?;
            let is_last = behind.is_empty() || !targets.is_empty();
            if is_last && !self.resolved.insert(current.clone()) {
                return Ok(());
            }
            for target in &targets {
                self.add(&join(target, behind))?;
            }
            if is_last {
                return Ok(());
            }
            rest = behind;
        }
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
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    enum Make {
        Dir(&'static str),
        File(&'static str),
        Link(&'static str, &'static str),
    }
    use Make::{Dir, File, Link};

    fn tree(makes: &[Make]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for make in makes {
            match make {
                Dir(path) => std::fs::create_dir(root.path().join(path)).unwrap(),
                File(path) => std::fs::write(root.path().join(path), "").unwrap(),
                Link(target, path) => symlink(target, root.path().join(path)).unwrap(),
            }
        }
        root
    }

    fn check(makes: &[Make], paths: &[&str], expected: Option<&[&str]>) {
        let root = tree(makes);
        let paths: Vec<String> = paths.iter().map(|path| path.to_string()).collect();
        let found = follow(root.path(), &paths).unwrap();
        let found: Option<Vec<String>> = found.map(|found| {
            found
                .into_iter()
                .map(|path| String::from_utf8(path).unwrap())
                .collect()
        });
        let expected: Option<Vec<String>> =
            expected.map(|expected| expected.iter().map(|path| path.to_string()).collect());
        assert_eq!(found, expected, "{paths:?}");
    }

    #[test]
    fn links_and_what_they_point_to() {
        let makes = [
            Dir("dir"),
            File("dir/foo"),
            Link("foo", "dir/l1"),
            Link("dir/l1", "l2"),
            File("bar"),
            File("baz"),
        ];
        check(
            &makes,
            &["l2", "bar"],
            Some(&["bar", "dir/foo", "dir/l1", "l2"]),
        );
    }

    #[test]
    fn loops_end() {
        let makes = [Link("l1", "l1"), Link("l2", "l3"), Link("l3", "l2")];
        check(&makes, &["l1", "l3"], Some(&["l1", "l2", "l3"]));
    }

    #[test]
    fn absolute_links_stay_inside() {
        for up in ["../", "../../../"] {
            let makes = [
                Dir("dir"),
                Link("/foo/bar/baz", "dir/l1"),
                Dir("foo"),
                Link(up, "foo/bar"),
                File("baz"),
            ];
            check(&makes, &["dir/l1"], Some(&["baz", "dir/l1", "foo/bar"]));
        }
    }

    #[test]
    fn missing_paths_are_kept() {
        check(
            &[],
            &["foo/bar/baz", "bar/baz"],
            Some(&["bar/baz", "foo/bar/baz"]),
        );
        check(&[], &["f*/foo/t*"], Some(&["f*/foo/t*"]));
        check(&[File("file")], &["file/x/y"], Some(&["file/x/y"]));
        check(&[], &["../x", "/y"], Some(&["../x", "y"]));
    }

    #[test]
    fn the_root_is_everything() {
        check(&[], &["."], None);
        check(&[], &["", "x"], None);
        check(&[Link("/", "l")], &["l", "foo"], None);
    }

    #[test]
    fn paths_below_others_are_dropped() {
        check(&[], &["foo/bar/baz", "foo/bar"], Some(&["foo/bar"]));
        let makes = [
            Dir("dir"),
            Link("/foo", "dir/l1"),
            Dir("foo"),
            File("foo/bar"),
        ];
        check(&makes, &["dir/l1", "foo/bar"], Some(&["dir/l1", "foo"]));
    }

    #[test]
    fn a_link_on_the_way() {
        let makes = [Dir("dir"), File("dir/foo"), Link("dir", "l")];
        check(&makes, &["l/foo"], Some(&["dir/foo", "l"]));
    }

    #[test]
    fn wildcards() {
        let makes = || {
            [
                Dir("dir"),
                Dir("foo"),
                Link("/foo/bar1", "dir/l1"),
                Link("/foo/bar2", "dir/l2"),
                Link("/foo/bar3", "dir/anotherlink"),
                Link("../baz", "foo/bar2"),
                File("foo/bar1"),
                File("foo/bar3"),
                File("baz"),
            ]
        };
        check(
            &makes(),
            &["dir/l*"],
            Some(&["baz", "dir/l*", "foo/bar1", "foo/bar2"]),
        );
        check(&makes(), &["dir"], Some(&["dir"]));
        check(&makes(), &["dir", "dir/*link"], Some(&["dir", "foo/bar3"]));
    }
}
