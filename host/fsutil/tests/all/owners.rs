//! Owners, permissions, times and attributes of what is received, for root and for other users.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use iechor_fsutil::{Filter, ReceiveOptions};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, mknodat, setxattr};

use crate::support::*;

/// A user and group without rights.
const NOBODY: libc::uid_t = 65_534;

/// Runs a test whose blocking threads belong to another user, or returns false if this user cannot
/// become another one.
fn run_as(user: libc::uid_t, test: impl Future<Output = ()>) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(move || {
            // The calls of the C library would change all threads of the process.
            // SAFETY: the calls take numbers, and change the credentials of a thread of this runtime
            // only.
            unsafe {
                libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>());
                libc::syscall(libc::SYS_setresgid, user, user, user);
                libc::syscall(libc::SYS_setresuid, user, user, user);
            }
        })
        .build()
        .unwrap();
    let is_user = runtime.block_on(async {
        tokio::task::spawn_blocking(rustix::process::geteuid)
            .await
            .unwrap()
            .as_raw()
            == user
    });
    if is_user {
        runtime.block_on(test);
    }
    is_user
}

/// Files with all bits that a mode has. All can be read by everybody.
fn tree_with_bits() -> tempfile::TempDir {
    let root = tree(&[
        ("set-both", b"x"),
        ("set-group", b"x"),
        ("set-group-not-executable", b"x"),
        ("set-user", b"x"),
        ("set-user-empty", b""),
        ("set-user-read-only", b"x"),
        ("sticky", b"x"),
        ("shared/x", b""),
        ("temporary/x", b""),
    ]);
    fs::hard_link(
        root.path().join("set-user"),
        root.path().join("set-user, other name"),
    )
    .unwrap();
    mknodat(CWD, root.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for (name, mode) in [
        ("set-both", 0o6755),
        ("set-group", 0o2755),
        ("set-group-not-executable", 0o2644),
        ("set-user", 0o4755),
        ("set-user-empty", 0o4755),
        ("set-user-read-only", 0o4555),
        ("sticky", 0o1755),
        ("pipe", 0o4644),
        ("shared", 0o2775),
        ("temporary", 0o1777),
    ] {
        set_mode(&root.path().join(name), mode);
    }
    symlink("set-user", root.path().join("link")).unwrap();
    for path in paths(root.path()) {
        set_modified(&root.path().join(path_of(&path)), 1_234_567_890_123_456_789);
    }
    set_mode(root.path(), 0o755);
    root
}

async fn copy(from: &Path, to: &Path) {
    let options = ReceiveOptions::default();
    let (sent, received) = transfer(from, Filter::default(), to, options).await;
    received.unwrap();
    sent.unwrap();
}

/// Files of a user other than root do not let everybody act as this user. docker buildx loses the bits
/// when it writes contents, and keeps those of empty and read-only files; here none is kept.
#[test]
fn only_root_gets_files_that_set_the_user_or_group() {
    let from = tree_with_bits();
    for user in [rustix::process::geteuid().as_raw(), NOBODY] {
        let to = tree(&[("set-user", b"old")]);
        set_mode(to.path(), 0o777);
        let is_run = run_as(user, copy(from.path(), to.path()));
        if !is_run {
            continue;
        }
        let found = snapshot(to.path());
        for (path, expected) in snapshot(from.path()) {
            let is_directory = expected.mode & libc::S_IFMT == libc::S_IFDIR;
            let kept = match user {
                0 => 0o7777,
                _ if is_directory => 0o7777,
                _ => 0o1777,
            };
            let name = String::from_utf8_lossy(&path).into_owned();
            let entry = &found[&path];
            assert_eq!(
                entry.mode,
                expected.mode & (libc::S_IFMT | kept),
                "{name} of user {user}"
            );
            assert_eq!(entry.modified, expected.modified, "{name}");
            assert_eq!(entry.content, expected.content, "{name}");
            assert_eq!(entry.first, expected.first, "{name}");
            let metadata = fs::symlink_metadata(to.path().join(&name)).unwrap();
            assert_eq!(metadata.uid(), user, "{name}");
        }
        assert_eq!(found.len(), 14);
    }
}

/// Attributes that only root may set are left out for others.
#[test]
fn attributes_that_a_user_may_not_set_are_left_out() {
    let from = tree(&[("file", b"x")]);
    set_mode(from.path(), 0o755);
    let file = from.path().join("file");
    for name in ["user.test", "trusted.test"] {
        match setxattr(&file, name, b"value", XattrFlags::empty()) {
            Ok(()) => {}
            // The file system has none, or this user may not set them.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => return,
            Err(error) => panic!("{error}"),
        }
    }
    for user in [0, NOBODY] {
        let to = tree(&[]);
        set_mode(to.path(), 0o777);
        // The sender is the same user, and does not see what it may not.
        assert!(run_as(user, copy(from.path(), to.path())));
        let has = |name: &str| getxattr(to.path().join("file"), name, &mut [0; 10][..]).is_ok();
        assert!(has("user.test"));
        assert_eq!(has("trusted.test"), user == 0);
    }
}

/// A directory that is there keeps its owner. Another user cannot change its mode, and says so.
#[test]
fn directories_of_others() {
    let from = tree(&[("dir/file", b"x")]);
    set_mode(from.path(), 0o755);
    set_mode(&from.path().join("dir"), 0o750);
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let to = tree(&[("dir/old", b"")]);
    std::os::unix::fs::chown(to.path().join("dir"), Some(12_345), Some(12_345)).unwrap();
    run(copy(from.path(), to.path()));
    let metadata = fs::metadata(to.path().join("dir")).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (12_345, 0o750));

    let to = tree(&[("dir/old", b"")]);
    set_mode(to.path(), 0o777);
    set_mode(&to.path().join("dir"), 0o777);
    assert!(run_as(NOBODY, async {
        let options = ReceiveOptions::default();
        let (_, received) = transfer(from.path(), Filter::default(), to.path(), options).await;
        let error = received.unwrap_err();
        let expected = "cannot read directory `dir`";
        // The sender cannot read the directory either: it is not the owner of anything here.
        assert!(error.to_string().contains(expected), "{error}");
    }));
    set_mode(&from.path().join("dir"), 0o755);
    assert!(run_as(NOBODY, async {
        let options = ReceiveOptions::default();
        let (_, received) = transfer(from.path(), Filter::default(), to.path(), options).await;
        let error = received.unwrap_err();
        assert_eq!(error.to_string(), "cannot set mode and time of `dir`");
    }));
}
