//! The sent entries are those that the patterns select, although only a part of the tree is read.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use iechor_fsutil::Filter;
use iechor_fsutil::pattern::PatternMatcher;
use iechor_fsutil::walk::{WalkError, WalkOptions, walk};
use proptest::prelude::*;

use crate::support::*;

/// Returns path and link name of each entry.
fn walked(root: &Path, filter: &Filter) -> Result<Vec<(String, String)>, WalkError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    let stop = AtomicBool::new(false);
    walk(root, filter, WalkOptions::default(), &stop, |entry| {
        assert_eq!(entry.id as usize, found.len());
        assert!(entry.stat.path.ends_with(entry.name));
        if let Some(parent) = entry.parent {
            let (parent, _): &(String, String) = &found[parent as usize];
            let above = &entry.stat.path[..entry.stat.path.len() - entry.name.len() - 1];
            assert_eq!(parent.as_bytes(), above);
        }
        found.push((text(entry.stat.path), text(entry.stat.link_name)));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn walked_paths(root: &Path, filter: &Filter) -> Vec<String> {
    walked(root, filter)
        .unwrap()
        .into_iter()
        .map(|(path, _)| path)
        .collect()
}

fn filter(include: &[&str], exclude: &[&str], follow_paths: &[&str]) -> Filter {
    let owned = |list: &[&str]| list.iter().map(|item| item.as_bytes().to_vec()).collect();
    Filter {
        include: owned(include),
        exclude: owned(exclude),
        follow_paths: owned(follow_paths),
    }
}

/// Reads the whole tree and matches every path. Returns the selected paths in their order.
pub fn naive(root: &Path, filter: &Filter) -> Vec<Vec<u8>> {
    fn matches(matcher: &PatternMatcher, path: &[u8]) -> bool {
        let mut results = vec![false; matcher.patterns().len()];
        let mut parent: Option<Vec<bool>> = None;
        for directory in above(path) {
            let above = parent.as_deref();
            matcher
                .matches_using_parent_results(directory, above, &mut results)
                .unwrap();
            parent = Some(results.clone());
        }
        let above = parent.as_deref();
        matcher
            .matches_using_parent_results(path, above, &mut results)
            .unwrap()
    }
    /// Returns the directories above a path, from the top.
    fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.map(|(slash, _)| &path[..slash])
    }
    let include = PatternMatcher::new(&filter.include).unwrap();
    let exclude = PatternMatcher::new(&filter.exclude).unwrap();
    let all = paths(root);
    let mut kept = BTreeSet::new();
    for path in &all {
        let is_included = filter.include.is_empty() || matches(&include, path);
        if is_included && !matches(&exclude, path) {
            kept.insert(path.clone());
            kept.extend(above(path).map(<[u8]>::to_vec));
        }
    }
    all.into_iter().filter(|path| kept.contains(path)).collect()
}

pub fn pattern() -> impl Strategy<Value = Vec<u8>> {
    let parts = vec![
        "a", "b", "c", "ab", "*", "**", "a*", "?", "[ab]", "*b", "\\a",
    ];
    let part = prop::sample::select(parts);
    (
        prop::bool::weighted(0.35),
        prop::collection::vec(part, 1..4),
    )
        .prop_map(|(exclusion, parts)| {
            format!("{}{}", if exclusion { "!" } else { "" }, parts.join("/")).into_bytes()
        })
}

fn files() -> impl Strategy<Value = Vec<Vec<String>>> {
    let name = prop::sample::select(vec!["a", "b", "c", "ab", "abc"]).prop_map(String::from);
    prop::collection::vec(prop::collection::vec(name, 1..5), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn pruning_changes_nothing(
        files in files(),
        include in prop::collection::vec(pattern(), 0..4),
        exclude in prop::collection::vec(pattern(), 0..5),
    ) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file.join("/"));
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = fs::write(path, "");
        }
        let filter = Filter { include, exclude, ..Filter::default() };
        // `\a` is the bell to the matcher, and may be the end of an include list.
        let expected: Vec<_> = naive(root.path(), &filter)
            .into_iter()
            .map(|path| String::from_utf8(path).unwrap())
            .collect();
        prop_assert_eq!(walked_paths(root.path(), &filter), expected);
    }
}

fn sample() -> tempfile::TempDir {
    tree(&[
        ("Dockerfile", b""),
        ("bar/foo", b""),
        ("bar/foo2", b""),
        ("bar/sub/foo3", b""),
        ("docs/README.md", b""),
        ("docs/api/index", b""),
        ("foo-x", b""),
        ("foo/y", b""),
    ])
}

#[test]
fn the_order_is_that_of_names() {
    let root = sample();
    let expected = [
        "Dockerfile",
        "bar",
        "bar/foo",
        "bar/foo2",
        "bar/sub",
        "bar/sub/foo3",
        "docs",
        "docs/README.md",
        "docs/api",
        "docs/api/index",
        "foo",
        "foo/y",
        "foo-x",
    ];
    assert_eq!(walked_paths(root.path(), &Filter::default()), expected);
}

#[test]
fn includes_and_excludes() {
    let root = sample();
    for (include, exclude, expected) in [
        (&["bar/foo"][..], &[][..], &["bar", "bar/foo"][..]),
        (
            &["bar"],
            &[],
            &["bar", "bar/foo", "bar/foo2", "bar/sub", "bar/sub/foo3"],
        ),
        (&["bar"], &["bar/sub"], &["bar", "bar/foo", "bar/foo2"]),
        (&["**/foo3"], &[], &["bar", "bar/sub", "bar/sub/foo3"]),
        (&["*/foo*", "!bar/foo2"], &[], &["bar", "bar/foo"]),
        (
            &[],
            &["**", "!bar/sub"],
            &["bar", "bar/sub", "bar/sub/foo3"],
        ),
        (
            &[],
            &["*", "!docs", "docs/api"],
            &["docs", "docs/README.md"],
        ),
        (
            &[],
            &["bar", "docs", "foo*", "!docs/api/**"],
            &["Dockerfile", "docs", "docs/api", "docs/api/index"],
        ),
        (&["nothing"], &[], &[]),
        // BuildKit's own client finds nothing here, see `filter.rs`.
        (&["bar/*/**"], &[], &["bar", "bar/sub", "bar/sub/foo3"]),
    ] {
        let found = walked_paths(root.path(), &filter(include, exclude, &[]));
        assert_eq!(found, expected, "{include:?} {exclude:?}");
    }
}

#[test]
fn followed_paths_are_included() {
    let root = sample();
    symlink("docs/README.md", root.path().join("link")).unwrap();
    symlink("/bar/sub", root.path().join("docs/api/sub")).unwrap();
    for (include, follow_paths, expected) in [
        (
            &[][..],
            &["link"][..],
            &["docs", "docs/README.md", "link"][..],
        ),
        (
            &[],
            &["docs/api/sub/foo3"],
            &[
                "bar",
                "bar/sub",
                "bar/sub/foo3",
                "docs",
                "docs/api",
                "docs/api/sub",
            ],
        ),
        (
            &["foo"],
            &["link"],
            &["docs", "docs/README.md", "foo", "foo/y", "link"],
        ),
        (&["foo-x"], &["."], &["foo-x"]),
        (&[], &["none"], &[]),
    ] {
        let found = walked_paths(root.path(), &filter(include, &[], follow_paths));
        assert_eq!(found, expected, "{include:?} {follow_paths:?}");
    }
    let all = walked_paths(root.path(), &Filter::default());
    assert_eq!(walked_paths(root.path(), &filter(&[], &[], &["."])), all);
}

#[test]
fn hard_links_never_point_to_what_is_not_sent() {
    let root = tree(&[("a", b"content")]);
    for name in ["b", "c", "d"] {
        fs::hard_link(root.path().join("a"), root.path().join(name)).unwrap();
    }
    let links = |exclude: &[&str]| -> Vec<(String, String)> {
        walked(root.path(), &filter(&[], exclude, &[])).unwrap()
    };
    let expected = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(path, link)| (path.to_string(), link.to_string()))
            .collect()
    };
    assert_eq!(
        links(&[]),
        expected(&[("a", ""), ("b", "a"), ("c", "a"), ("d", "a")])
    );
    assert_eq!(links(&["a", "c"]), expected(&[("b", ""), ("d", "b")]));
}

#[test]
fn wrong_filters() {
    let root = sample();
    for filter in [filter(&["["], &[], &[]), filter(&[], &["!"], &[])] {
        let error = walked(root.path(), &filter).unwrap_err();
        assert!(matches!(error, WalkError::Filter(_)), "{error}");
    }
    let error = walked(root.path(), &filter(&[], &["[z-a]"], &[])).unwrap_err();
    assert!(matches!(error, WalkError::Pattern(_)), "{error}");
}

/// Runs work on a thread without root's access to files, even if the process is root.
fn unprivileged<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                // SAFETY: changes the credentials of this thread only, which ends here.
                unsafe { libc::setfsuid(65534) };
                work()
            })
            .join()
            .unwrap()
    })
}

#[test]
fn directories_that_may_not_be_read() {
    let root = sample();
    set_mode(root.path(), 0o755);
    set_mode(&root.path().join("bar/sub"), 0o000);
    let with = |exclude: &[&str]| {
        let filter = filter(&[], exclude, &[]);
        unprivileged(|| walked(root.path(), &filter))
    };
    let error = with(&[]).unwrap_err();
    assert!(
        matches!(&error, WalkError::Entry { path, .. } if path == "bar/sub"),
        "{error}"
    );
    // The directory is not even opened for the first, and opened for the exception.
    assert!(with(&["bar"]).is_ok());
    assert!(with(&["bar", "!bar/sub/other"]).is_ok());
    set_mode(&root.path().join("bar/sub"), 0o755);
}

#[test]
fn entries_that_vanish_are_left_out() {
    let root = sample();
    let stop = AtomicBool::new(false);
    let mut found = Vec::new();
    walk(
        root.path(),
        &Filter::default(),
        WalkOptions::default(),
        &stop,
        |entry| {
            if entry.stat.path == b"Dockerfile" {
                fs::remove_file(root.path().join("foo-x")).unwrap();
                fs::remove_dir_all(root.path().join("docs")).unwrap();
            }
            if entry.stat.path == b"bar" {
                fs::remove_dir_all(root.path().join("bar")).unwrap();
            }
            found.push(String::from_utf8_lossy(entry.stat.path).into_owned());
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(found, ["Dockerfile", "bar", "foo", "foo/y"]);
}

#[test]
fn a_walk_can_be_stopped() {
    let root = sample();
    let stop = AtomicBool::new(true);
    let visit = |_: &iechor_fsutil::walk::Entry<'_>| panic!("it was stopped before");
    walk(
        root.path(),
        &Filter::default(),
        WalkOptions::default(),
        &stop,
        visit,
    )
    .unwrap();
    let stop = AtomicBool::new(false);
    let mut count = 0;
    walk(
        root.path(),
        &Filter::default(),
        WalkOptions::default(),
        &stop,
        |_| {
            count += 1;
            if count == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )
    .unwrap();
    assert_eq!(count, 3);
}
