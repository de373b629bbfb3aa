//! Records and locks on disk.

use std::fs;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("store"));
    (directory, store)
}

fn purpose() -> Purpose {
    Purpose {
        builder: "MyB".into(),
        node: "myb0".into(),
        endpoint: "unix:///a".into(),
        driver: "d".into(),
        is_new: true,
    }
}

fn object(kind: ObjectKind, name: &str) -> Object {
    Object {
        kind,
        name: name.into(),
    }
}

#[test]
fn a_record_says_what_is_left_until_it_is_removed() {
    let (_directory, store) = store();
    assert_eq!(store.unfinished().unwrap(), []);
    assert!(!store.directory().exists(), "looking makes nothing");
    let volume = object(ObjectKind::Volume, "v");
    let mut record = store.begin_record("00ff", &purpose(), &volume).unwrap();
    record.creates(&object(ObjectKind::Container, "c")).unwrap();
    let found = store.unfinished().unwrap();
    assert_eq!(found[0].progress, Progress::Underway);
    assert_eq!(found[0].purpose, purpose());
    assert_eq!(store.unfinished_of("myb").unwrap(), []);
    assert!(store.take_record("00ff").unwrap().is_none());

    drop(record);
    let found = store.unfinished_of("myb").unwrap();
    assert_eq!(found[0].progress, Progress::Interrupted);
    let names: Vec<_> = found[0].remnants.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["volume v", "container c"]);

    let mut record = store.take_record("00ff").unwrap().unwrap();
    record
        .leaves(&[Left {
            object: volume,
            reason: "in use".into(),
            is_unsure: false,
        }])
        .unwrap();
    drop(record);
    let found = store.unfinished_of("MYB").unwrap();
    assert_eq!(found[0].progress, Progress::Left);
    assert_eq!(found[0].remnants[0].reason, "in use");

    let record = store.take_record("00ff").unwrap().unwrap();
    record.remove().unwrap();
    assert_eq!(store.unfinished().unwrap(), []);
    assert!(store.take_record("00ff").unwrap().is_none());
}

#[test]
fn what_a_killed_writer_leaves_is_read_as_far_as_it_is_whole() {
    let (_directory, store) = store();
    let volume = object(ObjectKind::Volume, "v");
    drop(store.begin_record("a1", &purpose(), &volume).unwrap());
    let path = store.directory().join("unfinished/a1");
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let found = store.unfinished().unwrap();
        assert_eq!(found.len(), usize::from(length >= first), "{length}");
        let names: usize = found.iter().map(|record| record.remnants.len()).sum();
        assert_eq!(names, usize::from(length == whole.len()), "{length}");
    }
    // What is no record is left alone.
    fs::write(store.directory().join("unfinished/notes.txt"), "x").unwrap();
    assert_eq!(store.unfinished().unwrap().len(), 1);
}

#[test]
fn a_node_is_shared_or_held_alone() {
    let (_directory, store) = store();
    let lock = |node: &str| store.node_lock("b", node, "unix:///a").unwrap();
    let (one, other) = (lock("b0"), lock("b0"));
    assert!(one.try_share().unwrap() && other.try_share().unwrap());
    assert!(!one.try_alone().unwrap(), "the other one uses it");
    // A process that gave up does not keep the other one from cleaning up.
    assert!(other.try_alone().unwrap());
    assert!(!one.try_share().unwrap());
    assert!(lock("b1").try_alone().unwrap(), "another node");
    drop(other);
    assert!(one.try_share().unwrap());
}
