//! Tests of writing to each kind of file.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, mkfifoat};

use super::*;

/// A directory with a regular file `file` that contains `old`.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "old").expect("written");
    (directory, file)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn opened(path: &Path) -> Output {
    match Target::open(path) {
        Ok(Target::Regular(output)) => output,
        other => panic!("{other:?}"),
    }
}

/// Writes `new` in two parts, and checks the old content in between.
fn replaced(path: &Path, old: Option<&str>) {
    let output = opened(path);
    let mut writer = output.writer().expect("open");
    writer.write_all(b"n").expect("written");
    assert_eq!(fs::read_to_string(path).ok().as_deref(), old);
    writer.write_all(b"ew").expect("written");
    output.complete().expect("complete");
    assert_eq!(fs::read_to_string(path).expect("there"), "new");
}

#[test]
fn a_regular_file_keeps_everything_but_its_content() {
    let (directory, file) = directory();
    let attributes = (Uid::from_raw(12), Gid::from_raw(34));
    rustix::fs::chown(&file, Some(attributes.0), Some(attributes.1)).expect("root");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("own");
    replaced(&file, Some("old"));
    let metadata = fs::metadata(&file).expect("there");
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!((metadata.uid(), metadata.gid()), (12, 34));
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn a_new_file_has_the_usual_mode() {
    let (directory, _) = directory();
    let made = directory.path().join("made");
    fs::write(&made, "").expect("written");
    let path = directory.path().join("new");
    replaced(&path, None);
    let mode = |path: &Path| fs::metadata(path).expect("there").mode();
    assert_eq!(mode(&path), mode(&made));
}

#[test]
fn an_output_that_is_not_completed_changes_nothing() {
    let (directory, file) = directory();
    for path in [&file, &directory.path().join("new")] {
        let output = opened(path);
        let mut writer = output.writer().expect("open");
        writer.write_all(b"new").expect("written");
        drop(output);
    }
    assert_eq!(fs::read_to_string(&file).expect("there"), "old");
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn a_file_with_other_names_keeps_them() {
    let (directory, file) = directory();
    let other = directory.path().join("other");
    fs::hard_link(&file, &other).expect("linked");
    fs::write(&file, "a long old content").expect("written");
    replaced(&file, Some("a long old content"));
    assert_eq!(fs::read_to_string(&other).expect("there"), "new");
    assert_eq!(fs::metadata(&file).expect("there").nlink(), 2);
}

#[test]
fn links_are_followed_and_stay() {
    let (directory, file) = directory();
    let link = directory.path().join("link");
    symlink("file", directory.path().join("middle")).expect("linked");
    symlink("middle", &link).expect("linked");
    replaced(&link, Some("old"));
    assert_eq!(fs::read_to_string(&file).expect("there"), "new");
    assert_eq!(fs::read_link(&link).expect("a link"), Path::new("middle"));

    let dangling = directory.path().join("dangling");
    symlink("absent", &dangling).expect("linked");
    replaced(&dangling, None);
    let target = directory.path().join("absent");
    assert_eq!(fs::read_to_string(target).expect("there"), "new");
    assert!(fs::symlink_metadata(&dangling).expect("there").is_symlink());

    symlink("loop", directory.path().join("loop")).expect("linked");
    assert!(Target::open(&directory.path().join("loop")).is_err());
}

/// Another program has the file open, as a shell that redirects its output to it.
#[test]
fn a_file_that_is_named_by_its_descriptor_is_written_in_place() {
    let (_directory, file) = directory();
    let open = File::open(&file).expect("there");
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&open);
    replaced(
        &PathBuf::from(format!("/proc/self/fd/{descriptor}")),
        Some("old"),
    );
    let mut content = String::new();
    io::Read::read_to_string(&mut &open, &mut content).expect("read");
    assert_eq!(content, "new");
}

#[test]
fn a_file_with_attributes_keeps_them() {
    let (_directory, file) = directory();
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&file, "user.mine", b"x", flags).is_err() {
        // This file system has no attributes.
        return;
    }
    replaced(&file, Some("old"));
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(&file, "user.mine", &mut value).expect("kept");
    assert_eq!(&value[..length], b"x");
}

#[test]
fn what_is_no_regular_file_is_opened_and_not_replaced() {
    let (directory, _) = directory();
    let link = directory.path().join("null");
    symlink("/dev/null", &link).expect("linked");
    for path in [&link, Path::new("/dev/null")] {
        match Target::open(path) {
            Ok(Target::Device(mut device)) => device.write_all(b"gone").expect("written"),
            other => panic!("{other:?}"),
        }
    }
    let pipe = directory.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RWXU).expect("made");
    assert!(matches!(Target::open(&pipe), Ok(Target::Pipe(path)) if path == pipe));
    let socket = directory.path().join("socket");
    let _listener = UnixListener::bind(&socket).expect("bound");
    for (path, words) in [
        (socket, "a socket"),
        (directory.path().into(), "a directory"),
    ] {
        let error = Target::open(&path).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn files_about_a_result_are_regular() {
    let (directory, file) = directory();
    let pipe = directory.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RWXU).expect("made");
    for path in [&pipe, Path::new("/dev/null"), directory.path()] {
        for refused in [write(path, b"new"), check_regular(path), forget(path)] {
            let error = refused.expect_err("refused").to_string();
            assert!(error.contains("not a regular file"), "{error}");
        }
    }
    check_regular(&file).expect("regular");
    write(&file, b"new").expect("written");
    assert_eq!(fs::read_to_string(&file).expect("there"), "new");
    let absent = directory.path().join("absent");
    check_regular(&absent).expect("nothing");
    write(&absent, b"new").expect("written");
    let type_of = |path: &Path| fs::symlink_metadata(path).expect("there").file_type();
    assert!(type_of(&pipe).is_fifo());
    assert!(type_of(Path::new("/dev/null")).is_char_device());
}

#[test]
fn a_forgotten_file_is_removed_or_empty() {
    let (directory, file) = directory();
    let link = directory.path().join("link");
    symlink("file", &link).expect("linked");
    forget(&link).expect("removed");
    assert!(!file.exists());
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    forget(&link).expect("nothing to do");

    fs::write(&file, "old").expect("written");
    let other = directory.path().join("other");
    fs::hard_link(&file, &other).expect("linked");
    forget(&file).expect("emptied");
    assert_eq!(fs::read_to_string(&other).expect("there"), "");
    assert_eq!(fs::metadata(&file).expect("there").nlink(), 2);
}

#[test]
fn created_directories_are_removed_unless_they_are_kept() {
    let (directory, _) = directory();
    let path = directory.path().join("a/b/file");
    drop(Directories::above(&path).expect("made"));
    assert_eq!(names(directory.path()), ["file"]);
    let made = Directories::above(&path).expect("made");
    fs::write(&path, "").expect("written");
    drop(made);
    assert!(path.exists(), "it is not empty");
    fs::remove_file(&path).expect("there");
    Directories::above(&path).expect("there already").keep();
    assert!(directory.path().join("a/b").exists());
    Directories::above(Path::new("relative")).expect("nothing to do");
}

#[test]
fn errors_do_not_name_temporary_files() {
    let (directory, _) = directory();
    let error = Target::open(&directory.path().join("absent/file")).expect_err("no directory");
    assert!(error.is_not_found(), "{error}");
    assert!(!error.to_string().contains(PREFIX), "{error}");
}
