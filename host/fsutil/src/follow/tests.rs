#![allow(clippy::unwrap_used, reason = "tests")]

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
    let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    let found = follow(root.path(), &paths, &AtomicBool::new(false)).unwrap();
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

/// BuildKit's client returns only one of the two targets.
#[test]
fn two_paths_through_one_link() {
    let makes = [
        Dir("dir"),
        File("dir/bar"),
        File("dir/foo"),
        Link("dir", "l"),
    ];
    check(
        &makes,
        &["l/foo", "l/bar"],
        Some(&["dir/bar", "dir/foo", "l"]),
    );
}

#[test]
fn links_that_grow_end() {
    let root = tree(&[Link("l/x", "l")]);
    let found = follow(root.path(), &[b"l".to_vec()], &AtomicBool::new(false)).unwrap();
    assert_eq!(found, Some(vec![b"l".to_vec()]));
}

/// Recursion would need more than the stack of a thread.
#[test]
fn a_long_chain_of_links() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..20_000 {
        let name = format!("l{number:05}");
        symlink(format!("l{:05}", number + 1), root.path().join(name)).unwrap();
    }
    let paths = [b"l*".to_vec(), b"l00000".to_vec()];
    let found = follow(root.path(), &paths, &AtomicBool::new(false)).unwrap();
    assert_eq!(found.unwrap().len(), 20_002);
}

#[test]
fn links_that_multiply_are_an_error() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..64 {
        std::fs::create_dir(root.path().join(format!("d{number}"))).unwrap();
        for link in 0..64 {
            let path = root.path().join(format!("d{number}/l{link}"));
            symlink(format!("/d{link}"), path).unwrap();
        }
    }
    let paths = [format!("d0{}", "/l*".repeat(8)).into_bytes()];
    let stop = AtomicBool::new(false);
    // Each level leads to the 64 directories again.
    assert!(follow_to(1 + 64 * 8, root.path(), &paths, &stop).is_ok());
    let error = follow_to(64 * 8, root.path(), &paths, &stop).unwrap_err();
    assert!(
        error.source.to_string().contains("more than 512 paths"),
        "{error:?}"
    );
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
