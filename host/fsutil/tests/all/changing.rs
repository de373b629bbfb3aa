//! Trees that change while they are walked.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use iechor_fsutil::walk::{Entry, WalkOptions, walk};
use iechor_fsutil::{Filter, mode};

use crate::support::*;

/// Walks a tree, and changes it at the first entry.
fn walked_while(root: &Path, include: &[&str], change: impl FnOnce()) -> Vec<String> {
    let mut change = Some(change);
    let mut found = Vec::new();
    let filter = Filter {
        include: include
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect(),
        ..Filter::default()
    };
    let visit = |entry: &Entry<'_>| {
        if let Some(change) = change.take() {
            change();
        }
        found.push(String::from_utf8_lossy(entry.stat.path).into_owned());
        ControlFlow::Continue(())
    };
    walk(
        root,
        &filter,
        WalkOptions::default(),
        &AtomicBool::new(false),
        visit,
    )
    .unwrap();
    found
}

/// A directory that is about to be read becomes a link to another one.
#[test]
fn a_directory_that_becomes_a_link_during_the_walk() {
    let outside = tree(&[("secret", b"secret")]);
    let root = tree(&[("a", b""), ("b/x", b""), ("c", b"")]);
    let found = walked_while(root.path(), &[], || {
        fs::remove_dir_all(root.path().join("b")).unwrap();
        symlink(outside.path(), root.path().join("b")).unwrap();
    });
    // The listing is older than the link, which is an entry now.
    assert_eq!(found, ["a", "b", "c"]);

    // A directory that is only on the way is opened without a look at it.
    let root = tree(&[("a", b""), ("b/x", b""), ("c", b"")]);
    let found = walked_while(root.path(), &["a", "b/secret", "c"], || {
        fs::remove_dir_all(root.path().join("b")).unwrap();
        symlink(outside.path(), root.path().join("b")).unwrap();
    });
    assert_eq!(found, ["a", "c"]);
}

/// The walk has closed the directories far above, and opens them again on the way back.
#[test]
fn a_directory_above_that_becomes_a_link_during_the_walk() {
    let outside = tree(&[("z", b"secret"), ("y/z", b"secret")]);
    let deep = format!("a/{}f", "d/".repeat(80));
    for include in [&[][..], &["**/f", "**/z"]] {
        let root = tree(&[(&deep, b""), ("a/y/z", b""), ("a/z", b""), ("b/z", b"")]);
        let deepest = std::cell::Cell::new(0);
        let found = std::cell::RefCell::new(Vec::new());
        let filter = Filter {
            include: include
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect(),
            ..Filter::default()
        };
        let stop = AtomicBool::new(false);
        walk(
            root.path(),
            &filter,
            WalkOptions::default(),
            &stop,
            |entry| {
                let path = String::from_utf8_lossy(entry.stat.path).into_owned();
                if path == deep {
                    fs::rename(root.path().join("a"), root.path().join("moved")).unwrap();
                    symlink(outside.path(), root.path().join("a")).unwrap();
                }
                deepest.set(deepest.get().max(path.matches('/').count()));
                found.borrow_mut().push((path, entry.stat.mode));
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        assert_eq!(deepest.get(), 81);
        let found: Vec<_> = found.into_inner();
        let names: Vec<_> = found
            .iter()
            .skip(82)
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(names, ["b", "b/z"], "{include:?}");
    }
}

#[test]
fn files_that_change_during_the_walk() {
    let root = tree(&[
        ("a", b""),
        ("becomes a directory", b""),
        ("becomes a link", b""),
        ("goes", b""),
        ("grows", b"1"),
        ("shrinks", b"12345"),
    ]);
    let at = |name: &str| root.path().join(name);
    let mut sizes = Vec::new();
    let mut is_changed = false;
    let visit = |entry: &Entry<'_>| {
        if !is_changed {
            is_changed = true;
            for name in ["becomes a directory", "becomes a link", "goes"] {
                fs::remove_file(at(name)).unwrap();
            }
            fs::create_dir_all(at("becomes a directory/x")).unwrap();
            symlink("a", at("becomes a link")).unwrap();
            fs::write(at("grows"), "123").unwrap();
            fs::write(at("shrinks"), "1").unwrap();
            fs::write(at("comes"), "").unwrap();
        }
        let path = String::from_utf8_lossy(entry.stat.path).into_owned();
        sizes.push((path, entry.stat.mode & mode::TYPE, entry.stat.size));
        ControlFlow::Continue(())
    };
    let stop = AtomicBool::new(false);
    walk(
        root.path(),
        &Filter::default(),
        WalkOptions::default(),
        &stop,
        visit,
    )
    .unwrap();
    let sizes: Vec<_> = sizes
        .iter()
        .map(|(path, kind, size)| (path.as_str(), *kind, *size))
        .collect();
    // Every entry is described as it is when the walk gets to it.
    assert_eq!(
        sizes,
        [
            ("a", 0, 0),
            ("becomes a directory", mode::DIRECTORY, 0),
            ("becomes a directory/x", mode::DIRECTORY, 0),
            ("becomes a link", mode::SYMLINK, 1),
            ("grows", 0, 3),
            ("shrinks", 0, 1),
        ]
    );
}
