//! Both sides together: the result equals the source.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use iechor_fsutil::{Filter, ReceiveOptions};
use proptest::prelude::*;

use crate::filtering;
use crate::support::*;

#[derive(Clone, Debug)]
enum Node {
    Directory,
    File(usize, u8),
    Symlink(Vec<u8>),
    /// Hard link to the n-th file that was created before.
    HardLink(usize),
}

#[derive(Clone, Debug)]
struct Make {
    path: Vec<Vec<u8>>,
    node: Node,
    mode: u32,
    modified: i64,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<Vec<u8>> = [
        &b"a"[..],
        b"b",
        b"ab",
        b"a-b",
        b"a.b",
        b"A",
        b"\xff",
        b"\xe2\x98",
        "é".as_bytes(),
        b" ",
        b"*",
        b"[x]",
        b"a\nb",
        b"...",
        b".tmp.1",
        b"!x",
    ]
    .iter()
    .map(|name| name.to_vec())
    .collect();
    prop::sample::select(names)
}

fn node() -> impl Strategy<Value = Node> {
    let sizes = vec![0, 1, 100, 32_767, 32_768, 32_769, 65_536, 100_000];
    prop_oneof![
        3 => Just(Node::Directory),
        4 => (prop::sample::select(sizes), any::<u8>())
            .prop_map(|(size, seed)| Node::File(size, seed)),
        1 => prop::collection::vec(1u8.., 1..20).prop_map(Node::Symlink),
        1 => any::<usize>().prop_map(Node::HardLink),
    ]
}

fn make() -> impl Strategy<Value = Make> {
    let modes = vec![0o600, 0o644, 0o755, 0o700, 0o4755, 0o2711, 0o1777];
    let path = prop::collection::vec(name(), 1..4);
    (
        path,
        node(),
        prop::sample::select(modes),
        -1_000_000_000_000i64..2_000_000_000_000_000_000,
    )
        .prop_map(|(path, node, mode, modified)| Make {
            path,
            node,
            mode,
            modified,
        })
}

fn build(root: &Path, makes: &[Make]) {
    let mut files = Vec::new();
    let mut made = Vec::new();
    for make in makes {
        let path = make
            .path
            .iter()
            .fold(root.to_owned(), |path, name| path.join(path_of(name)));
        if fs::create_dir_all(path.parent().unwrap()).is_err() || path.symlink_metadata().is_ok() {
            continue;
        }
        let is_made = match &make.node {
            Node::Directory => fs::create_dir(&path).is_ok(),
            Node::File(size, seed) => {
                let content: Vec<u8> = (0..*size).map(|index| (index / 7) as u8 ^ *seed).collect();
                files.push(path.clone());
                fs::write(&path, content).is_ok()
            }
            Node::Symlink(target) => symlink(path_of(target), &path).is_ok(),
            Node::HardLink(_) if files.is_empty() => false,
            Node::HardLink(index) => fs::hard_link(&files[index % files.len()], &path).is_ok(),
        };
        if is_made {
            made.push((path, make));
        }
    }
    for (path, make) in made.into_iter().rev() {
        if !matches!(make.node, Node::Symlink(_)) {
            set_mode(&path, make.mode);
        }
        set_modified(&path, make.modified);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn random_trees_arrive(makes in prop::collection::vec(make(), 0..40)) {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        build(from.path(), &makes);
        let expected = snapshot(from.path());
        // Twice: the second time, everything exists already.
        for _ in 0..2 {
            let (sent, received) = run(transfer(
                from.path(), Filter::default(), to.path(), ReceiveOptions::default(),
            ));
            let (sent, received) = (sent.unwrap(), received.unwrap());
            prop_assert_eq!(&snapshot(to.path()), &expected);
            prop_assert_eq!(sent.entries, expected.len() as u64);
            prop_assert_eq!((sent.entries, sent.files, sent.bytes),
                (received.entries, received.files, received.bytes));
            prop_assert_eq!(sent.unreadable, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// What a filter selects arrives, and nothing else. A hard link to a file that is not selected is
    /// the file.
    #[test]
    fn filtered_trees_arrive(
        makes in prop::collection::vec(make(), 0..30),
        include in prop::collection::vec(filtering::pattern(), 0..3),
        exclude in prop::collection::vec(filtering::pattern(), 0..4),
    ) {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        build(from.path(), &makes);
        let filter = Filter { include, exclude, ..Filter::default() };
        let all = snapshot(from.path());
        let mut first_names = HashMap::new();
        let mut expected = BTreeMap::new();
        for path in filtering::naive(from.path(), &filter) {
            let mut seen = all[&path].clone();
            let first = first_names.entry(seen.first).or_insert_with(|| path.clone());
            seen.first = first.clone();
            expected.insert(path, seen);
        }
        let (sent, received) = run(transfer(
            from.path(), filter, to.path(), ReceiveOptions::default(),
        ));
        prop_assert_eq!(sent.unwrap().entries, expected.len() as u64);
        received.unwrap();
        prop_assert_eq!(snapshot(to.path()), expected);
    }
}

#[test]
fn an_empty_directory() {
    let from = tree(&[]);
    let to = tree(&[]);
    let destination = to.path().join("made/on/demand");
    let (sent, received) = run(transfer(
        from.path(),
        Filter::default(),
        &destination,
        ReceiveOptions::default(),
    ));
    assert_eq!(sent.unwrap().entries, 0);
    assert_eq!(received.unwrap().entries, 0);
    assert_eq!(fs::metadata(&destination).unwrap().mode() & 0o777, 0o700);
}

/// Deeper than the number of open directories on either side, and more than one batch of entries.
#[test]
fn deep_and_wide() {
    let from = tempfile::tempdir().unwrap();
    let mut path = from.path().to_owned();
    for level in 0..150 {
        path.push(format!("d{level}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), format!("before {level}")).unwrap();
        fs::write(path.join("z"), format!("behind {level}")).unwrap();
    }
    for number in 0..2000 {
        fs::write(
            from.path().join(format!("wide{number}")),
            number.to_string(),
        )
        .unwrap();
    }
    let to = tempfile::tempdir().unwrap();
    let (sent, received) = run(transfer(
        from.path(),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    sent.unwrap();
    assert_eq!(received.unwrap().files, 2300);
    assert_eq!(snapshot(to.path()), snapshot(from.path()));

    // The same without every other entry: the directories are emitted late.
    let filter = Filter {
        include: vec![b"**/z".to_vec()],
        ..Filter::default()
    };
    let to = tempfile::tempdir().unwrap();
    let (sent, received) = run(transfer(
        from.path(),
        filter,
        to.path(),
        ReceiveOptions::default(),
    ));
    assert_eq!(sent.unwrap().files, 150);
    assert_eq!(received.unwrap().entries, 300);
}

#[test]
fn a_symlink_as_root_and_destination() {
    let from = tree(&[("dir/file", b"content")]);
    let to = tree(&[("dir/other", b"other")]);
    symlink("dir", from.path().join("link")).unwrap();
    symlink("dir", to.path().join("link")).unwrap();
    let (sent, received) = run(transfer(
        &from.path().join("link"),
        Filter::default(),
        &to.path().join("link"),
        ReceiveOptions::default(),
    ));
    sent.unwrap();
    received.unwrap();
    assert_eq!(fs::read(to.path().join("dir/file")).unwrap(), b"content");
    assert_eq!(fs::read(to.path().join("dir/other")).unwrap(), b"other");
}

#[test]
fn extended_attributes() {
    let from = tree(&[("dir/file", b"content")]);
    let to = tree(&[]);
    let flags = rustix::fs::XattrFlags::empty();
    for (path, value) in [("dir", &b"one"[..]), ("dir/file", &[0xff; 1000])] {
        let path = from.path().join(path);
        match rustix::fs::setxattr(&path, "user.test", value, flags) {
            Ok(()) => {}
            // This file system does not support it.
            Err(rustix::io::Errno::OPNOTSUPP) => return,
            Err(error) => panic!("{error}"),
        }
    }
    let (sent, received) = run(transfer(
        from.path(),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    sent.unwrap();
    received.unwrap();
    for (path, expected) in [("dir", &b"one"[..]), ("dir/file", &[0xff; 1000])] {
        let mut value = vec![0; 2000];
        let length =
            rustix::fs::getxattr(to.path().join(path), "user.test", &mut value[..]).unwrap();
        assert_eq!(&value[..length], expected, "{path}");
    }
}

#[test]
fn a_missing_root_is_told_to_both() {
    let from = tree(&[]);
    let to = tree(&[]);
    let (sent, received) = run(transfer(
        &from.path().join("none"),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    assert!(matches!(sent, Err(iechor_fsutil::SendError::Walk(_))));
    let error = received.unwrap_err().to_string();
    assert!(
        error.contains("none") && error.contains("No such file"),
        "{error}"
    );
}

#[test]
fn a_full_failure_of_the_receiver_is_told_to_both() {
    let from = tree(&[("name/file", b"content"), ("other", b"")]);
    let to = tree(&[("other/in/the/way", b"")]);
    let (sent, received) = run(transfer(
        from.path(),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    assert!(matches!(
        received,
        Err(iechor_fsutil::ReceiveError::DirectoryInTheWay { path }) if path == "other"
    ));
    let error = sent.unwrap_err().to_string();
    assert!(
        error.contains("cannot replace directory `other`"),
        "{error}"
    );
}

/// Runs a test whose blocking threads do not have root's access to files, even if the process is
/// root.
fn run_unprivileged<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // SAFETY: changes the credentials of a thread of this runtime only.
        .on_thread_start(|| unsafe {
            libc::setfsuid(65534);
        })
        .build()
        .unwrap();
    runtime.block_on(test)
}

/// BuildKit accepts a file that arrives empty. This receiver does not lose a content in silence.
#[test]
fn a_file_that_may_not_be_read_is_sent_empty() {
    let from = tree(&[("open", b"content"), ("shut", b"secret")]);
    let to = tree(&[]);
    set_mode(from.path(), 0o755);
    set_mode(to.path(), 0o777);
    set_mode(&from.path().join("shut"), 0o000);
    let (sent, received) = run_unprivileged(transfer(
        from.path(),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    let expected = "the sender sent only 0 of the 6 bytes of `shut`";
    assert_eq!(received.unwrap_err().to_string(), expected);
    let error = sent.unwrap_err().to_string();
    assert_eq!(error, format!("the receiver failed: {expected}"));
    assert!(!to.path().join("shut").exists());
}

#[test]
fn a_destination_that_may_not_be_written() {
    let from = tree(&[("file", b"content")]);
    let to = tree(&[]);
    set_mode(from.path(), 0o755);
    set_mode(to.path(), 0o555);
    let (sent, received) = run_unprivileged(transfer(
        from.path(),
        Filter::default(),
        to.path(),
        ReceiveOptions::default(),
    ));
    let error = received.unwrap_err();
    assert!(
        matches!(&error, iechor_fsutil::ReceiveError::Entry { path, .. } if path == "file"),
        "{error}"
    );
    let error = sent.unwrap_err().to_string();
    assert!(
        error.contains("cannot create `file`: Permission denied"),
        "{error}"
    );
    set_mode(to.path(), 0o755);
}
