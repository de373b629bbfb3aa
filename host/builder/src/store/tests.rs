use std::time::Instant;

use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};

fn builder(name: &str, driver: &str) -> NodeGroup {
    NodeGroup::new(&Name::parse(name).unwrap(), driver)
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("a").join("buildx"));
    (directory, store)
}

#[test]
fn the_directory_comes_from_the_environment() {
    let from = |config: Option<&str>, home: Option<&str>| {
        Store::directory_from(config.map(Into::into), home.map(Into::into))
    };
    assert_eq!(from(Some("/c"), Some("/h")).unwrap(), Path::new("/c"));
    for config in [None, Some("")] {
        assert_eq!(
            from(config, Some("/h")).unwrap(),
            Path::new("/h/.iechor/buildx")
        );
    }
    assert!(matches!(from(None, None), Err(StoreError::NoDirectory)));
}

#[test]
fn reading_makes_nothing() {
    let (_directory, store) = store();
    let state = store.read().unwrap();
    assert_eq!(state.builders().count(), 0);
    assert_eq!(state.current().unwrap(), None);
    assert!(!store.directory().exists());
}

#[test]
fn builders_are_written_as_the_peer_writes_them() {
    let (_directory, store) = store();
    let mut transaction = store.lock().unwrap();
    transaction
        .save(&builder("MyB", "docker-container"))
        .unwrap();
    transaction
        .set_current(
            &Current {
                key: "unix:///var/run/docker.sock".into(),
                name: "MyB".into(),
                global: false,
            },
            true,
        )
        .unwrap();
    drop(transaction);

    let root = store.directory();
    assert_eq!(
        fs::read_to_string(root.join("instances/myb")).unwrap(),
        r#"{"Name":"MyB","Driver":"docker-container","Nodes":null,"Dynamic":false}"#
    );
    assert_eq!(
        fs::read_to_string(root.join("current")).unwrap(),
        r#"{"Key":"unix:///var/run/docker.sock","Name":"MyB","Global":false}"#
    );
    // sha256 of the key, its first 20 digits
    assert_eq!(
        fs::read_to_string(
            root.join("defaults")
                .join(hash("unix:///var/run/docker.sock"))
        )
        .unwrap(),
        "MyB"
    );
    assert_eq!(hash(""), "e3b0c44298fc1c149afb");
    let activity = fs::read_to_string(root.join("activity/MyB")).unwrap();
    assert!(activity.ends_with('Z') && activity.len() == "2026-01-02T03:04:05Z".len());
    for file in ["instances/myb", "current", "activity/MyB", ".lock"] {
        assert_eq!(mode(root.join(file)), 0o600, "{file}");
    }
    for directory in ["", "instances", "defaults", "activity"] {
        assert_eq!(mode(root.join(directory)), 0o700, "{directory}");
    }

    let state = store.read().unwrap();
    let stored = state.builder("myB").unwrap().unwrap();
    assert_eq!(stored.group.name, "MyB");
    assert!(stored.last_activity.unwrap() <= SystemTime::now());
    assert_eq!(state.default_at("unix:///var/run/docker.sock"), Some("MyB"));
    assert_eq!(state.default_at("other"), None);
}

/// A directory as an installation of the peer leaves it.
fn peer_directory() -> (tempfile::TempDir, Store) {
    let (directory, store) = store();
    let root = store.directory();
    for (path, text) in [
        (
            "instances/mixed",
            r#"{"Name":"Mixed","Driver":"docker-container","Nodes":[{"Name":"mixed0","Endpoint":"desktop-linux","Platforms":null,"DriverOpts":null,"Flags":["--allow-insecure-entitlement=network.host"],"Files":null}],"Dynamic":false}"#,
        ),
        (
            "instances/old",
            r#"{"Name":"old","Driver":"docker-container","Nodes":null}"#,
        ),
        ("instances/corrupt", "{\"Name\":\"corrupt\",\"Dri"),
        ("instances/empty", ""),
        ("instances/renamed", r#"{"Name":"other"}"#),
        ("instances/evil", r#"{"Name":"../../evil"}"#),
        ("instances/.tmp-mixed123", "half"),
        ("activity/Mixed", "2026-08-20T10:00:00Z"),
        ("activity/old", "yesterday"),
        (
            "current",
            r#"{"Key":"desktop-linux","Name":"Mixed","Global":false,"Since":1}"#,
        ),
        ("defaults/e3b0c44298fc1c149afb", "old"),
        ("refs/mixed/mixed0/abc", "{}"),
        ("refs/Mixed/mixed0/abc", "{}"),
        ("refs/version", "2"),
        (".buildNodeID", "0123456789abcdef"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (directory, store)
}

#[test]
fn a_directory_of_the_peer_just_works() {
    let (_directory, store) = peer_directory();
    let state = store.read().unwrap();
    let listed: Vec<(&str, bool)> = state
        .builders()
        .map(|(name, builder)| (name, builder.is_ok()))
        .collect();
    assert_eq!(
        listed,
        [
            ("corrupt", false),
            ("empty", false),
            ("evil", false),
            ("mixed", true),
            ("old", true),
            ("renamed", false),
        ]
    );
    let mixed = state.builder("MIXED").unwrap().unwrap();
    assert_eq!(mixed.group.nodes[0].endpoint, "desktop-linux");
    assert_eq!(
        mixed.last_activity,
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_787_220_000))
    );
    assert_eq!(state.builder("old").unwrap().unwrap().last_activity, None);
    assert_eq!(state.current().unwrap().unwrap().name, "Mixed");
    assert_eq!(state.default_at(""), Some("old"));

    let error = state.builder("corrupt").unwrap_err().to_string();
    let path = store.directory().join("instances/corrupt");
    assert!(
        error.starts_with(&format!("cannot use {}: ", path.display())),
        "{error}"
    );
    assert!(
        error.contains("EOF while parsing") && error.contains("mend the file"),
        "{error}"
    );
    let error = state.builder("renamed").unwrap_err().to_string();
    assert!(error.contains("belongs into a file named other"), "{error}");
}

#[test]
fn removing_takes_what_belongs_to_the_builder_and_nothing_else() {
    let (_directory, store) = peer_directory();
    let root = store.directory();
    let mut transaction = store.lock().unwrap();
    transaction.remove("mixed").unwrap();
    for gone in [
        "instances/mixed",
        "activity/Mixed",
        "refs/mixed",
        "refs/Mixed",
    ] {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    for kept in [
        "instances/old",
        "activity/old",
        "refs/version",
        ".buildNodeID",
        "current",
    ] {
        assert!(root.join(kept).exists(), "{kept}");
    }
    // One that cannot be read can be removed.
    transaction.remove("corrupt").unwrap();
    transaction.remove("evil").unwrap();
    assert!(matches!(
        transaction.remove("mixed"),
        Err(StoreError::NotFound { name }) if name == "mixed"
    ));
    assert!(matches!(
        transaction.remove("../old"),
        Err(StoreError::Name(_))
    ));
    assert!(matches!(
        transaction.builder("empty"),
        Err(StoreError::Broken(_))
    ));
}

#[test]
fn a_choice_without_default_drops_the_default() {
    let (_directory, store) = peer_directory();
    let mut transaction = store.lock().unwrap();
    transaction.set_current(&Current::default(), false).unwrap();
    assert_eq!(transaction.state().unwrap().default_at(""), None);
}

#[test]
fn leftovers_of_killed_writers_are_ignored_and_removed() {
    let (_directory, store) = peer_directory();
    let leftover = store.directory().join(".iechor-tmp-abc123");
    fs::write(&leftover, "{\"Name\":\"ha").unwrap();
    assert_eq!(store.read().unwrap().builders().count(), 6);
    drop(store.lock().unwrap());
    assert!(!leftover.exists());
    assert!(store.directory().join("instances/.tmp-mixed123").exists());
}

#[test]
fn a_lock_that_is_held_is_waited_for_and_named() {
    let (_directory, store) = store();
    let held = store.lock().unwrap();
    let wait = Duration::from_millis(150);
    let start = Instant::now();
    let error = store.lock_within(wait).unwrap_err();
    assert!(start.elapsed() >= wait);
    let path = store.directory().join(".lock");
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
    assert!(error.to_string().contains("0.15 s"), "{error}");
    // Reading goes on.
    store.read().unwrap();

    let waiter = std::thread::spawn({
        let store = store.clone();
        move || store.lock_within(Duration::from_secs(20)).map(drop)
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(held);
    waiter.join().unwrap().unwrap();
}

#[test]
fn writers_on_many_threads_lose_nothing() {
    let (_directory, store) = store();
    store.lock().unwrap().save(&builder("b", "d")).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for round in 0..5 {
                    let mut transaction = store.lock_within(Duration::from_secs(60)).unwrap();
                    let mut group = transaction.builder("b").unwrap().unwrap().group;
                    group
                        .change(NodeChange {
                            append: true,
                            endpoint: Some(format!("tcp://{thread}.{round}")),
                            ..NodeChange::default()
                        })
                        .unwrap();
                    transaction.save(&group).unwrap();
                }
            })
        })
        .collect();
    // Readers never see a half-written file.
    while !threads.iter().all(|thread| thread.is_finished()) {
        store.read().unwrap().builder("b").unwrap().unwrap();
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let state = store.read().unwrap();
    let group = &state.builder("b").unwrap().unwrap().group;
    let names: BTreeSet<&str> = group.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!((group.nodes.len(), names.len()), (40, 40));
}

const CHILD: &str = "IECHOR_TEST_STORE_CHILD";

fn spawn_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::child_that_writes", "--nocapture"])
        .env(CHILD, directory)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Writes without end, in a process that the next tests start and kill. No test by itself.
#[test]
fn child_that_writes() {
    let Some(directory) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::open(directory);
    let filler = "x".repeat(200_000);
    for round in 0u64.. {
        let mut group = builder("b", &format!("driver-{round}"));
        group
            .change(NodeChange {
                endpoint: Some("unix:///a".into()),
                files: Some([("buildkitd.toml".to_owned(), filler.clone().into_bytes())].into()),
                ..NodeChange::default()
            })
            .unwrap();
        let mut transaction = store.lock_within(Duration::from_secs(60)).unwrap();
        transaction.save(&group).unwrap();
        drop(transaction);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_writer_killed_at_any_point_leaves_the_old_or_the_new() {
    let (_directory, store) = store();
    store.lock().unwrap().save(&builder("b", "first")).unwrap();
    let mut rounds_seen = BTreeSet::new();
    for attempt in 0..12u64 {
        let mut child = spawn_child(store.directory());
        // Until it writes, then some odd time more.
        let start = Instant::now();
        let before = store
            .read()
            .unwrap()
            .builder("b")
            .unwrap()
            .unwrap()
            .group
            .clone();
        loop {
            let state = store.read().unwrap();
            if state.builder("b").unwrap().unwrap().group != before {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the child does not write"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(attempt * 1_700));
        child.kill().unwrap();
        child.wait().unwrap();

        let state = store.read().unwrap();
        let group = state.builder("b").unwrap().unwrap().group.clone();
        assert_eq!(group.nodes[0].files["buildkitd.toml"].len(), 200_000);
        rounds_seen.insert(group.driver.clone());
        // The lock died with its holder.
        let mut transaction = store.lock_within(Duration::from_secs(5)).unwrap();
        transaction
            .save(&builder("b", &format!("between-{attempt}")))
            .unwrap();
        drop(transaction);
        let leftovers = fs::read_dir(store.directory())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with(".iechor-tmp-")
            })
            .count();
        assert_eq!(leftovers, 0);
    }
    assert!(!rounds_seen.is_empty());
}

#[test]
fn two_processes_share_the_lock() {
    let (_directory, store) = store();
    store.lock().unwrap().save(&builder("b", "first")).unwrap();
    let mut child = spawn_child(store.directory());
    let mut ours = 0;
    let mut last = String::new();
    let start = Instant::now();
    // Each of our transactions sees a whole builder that stays the same until we drop the lock.
    while ours < 30 || !last.starts_with("driver-") {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the child does not write"
        );
        let transaction = store.lock_within(Duration::from_secs(60)).unwrap();
        let one = transaction.builder("b").unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let two = transaction.builder("b").unwrap().unwrap();
        assert_eq!(one, two);
        last = two.group.driver.clone();
        ours += 1;
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn files_for_a_node_that_lead_elsewhere_are_no_builder() {
    let (_directory, store) = store();
    store.lock().unwrap().save(&builder("good", "d")).unwrap();
    let write = |files: serde_json::Value| {
        let group = serde_json::json!({
            "Name": "bad",
            "Driver": "d",
            "Nodes": [{"Name": "bad0", "Endpoint": "e", "Files": files}],
        });
        fs::write(store.directory().join("instances/bad"), group.to_string()).unwrap();
        let state = store.read().unwrap();
        assert!(state.builder("good").unwrap().is_some());
        let found = state.builder("bad").map(|found| found.cloned());
        found.map_err(|error| error.to_string())
    };
    for path in [
        "../../root/.ssh/authorized_keys",
        "/etc/passwd",
        "certs/../../x",
        "",
    ] {
        let error = write(serde_json::json!({path: "AA=="})).map(drop);
        let error = error.expect_err(path);
        assert!(
            error.contains("instances/bad") && error.contains("node bad0"),
            "{error}"
        );
        assert!(
            error.contains("does not stay below /etc/buildkit"),
            "{error}"
        );
        // Nor is it written to.
        assert!(store.lock().unwrap().builder("bad").is_err());
    }
    let large = "A".repeat(8 << 20);
    let error = write(serde_json::json!({"buildkitd.toml": large})).map(drop);
    assert!(error.expect_err("large").contains("a node may have"));
    assert!(
        write(serde_json::json!({"certs/r/ca.pem": "AA=="}))
            .unwrap()
            .is_some()
    );
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let (_directory, store) = store();
    store.lock().unwrap().save(&builder("good", "d")).unwrap();
    let place = |path: &str| store.directory().join(path);
    fs::remove_file(place("activity/good")).unwrap();
    for (path, reader) in [
        ("instances/pipe", "instances"),
        ("instances/endless", "instances"),
        ("defaults/pipe", "defaults"),
        ("defaults/endless", "defaults"),
        ("activity/good", "activity"),
        ("current", "current"),
    ] {
        if path.ends_with("endless") {
            std::os::unix::fs::symlink("/dev/zero", place(path)).unwrap();
        } else {
            let mode = rustix::fs::Mode::RWXU;
            rustix::fs::mkfifoat(rustix::fs::CWD, place(path), mode).unwrap();
        }
        let state = store.read().unwrap();
        assert!(state.builder("good").unwrap().is_some(), "{reader}");
    }
    let state = store.read().unwrap();
    for (name, words) in [("pipe", "a named pipe"), ("endless", "a device")] {
        let error = state.builder(name).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(
        state
            .current()
            .unwrap_err()
            .to_string()
            .contains("a named pipe")
    );
    // Nor does the lock wait for somebody to write into it.
    fs::remove_file(place(".lock")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place(".lock"), rustix::fs::Mode::RWXU).unwrap();
    drop(store.lock().unwrap());
}

#[test]
fn a_builder_that_would_not_be_read_again_is_not_saved() {
    let (_directory, store) = store();
    let mut group = builder("large", "d");
    group.nodes.push(Node {
        name: "large0".into(),
        files: [("buildkitd.toml".into(), vec![b'x'; 50 << 20])].into(),
        ..Node::default()
    });
    let error = store.lock().unwrap().save(&group).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    assert!(store.read().unwrap().builder("large").unwrap().is_none());
}
