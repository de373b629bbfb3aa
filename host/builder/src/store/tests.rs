mod processes;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

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
    let environment = |home: Option<&str>, docker: Option<&str>| Environment {
        home: home.map(Into::into),
        docker_config: docker.map(Into::into),
        ..Environment::default()
    };
    let from = |config: Option<&str>, place, home, docker| {
        Store::directory_from(config.map(Into::into), place, &environment(home, docker))
    };
    for place in [Place::Own, Place::Docker] {
        let named = from(Some("/c"), place, Some("/h"), Some("/d")).unwrap();
        assert_eq!(named, Path::new("/c"));
        assert!(matches!(
            from(None, place, None, None),
            Err(StoreError::NoDirectory)
        ));
    }
    for config in [None, Some("")] {
        for (place, docker, expected) in [
            (Place::Own, Some("/d"), "/h/.iechor/buildx"),
            (Place::Docker, Some("/d"), "/d/buildx"),
            (Place::Docker, None, "/h/.docker/buildx"),
        ] {
            let found = from(config, place, Some("/h"), docker).unwrap();
            assert_eq!(found, Path::new(expected));
        }
    }
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

/// Returns a store that docker buildx wrote.
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
        error.contains("EOF while parsing") && error.contains("correct the file"),
        "{error}"
    );
    let error = state.builder("renamed").unwrap_err().to_string();
    assert!(error.contains("belongs in a file named other"), "{error}");
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
    // A builder that cannot be read can be removed.
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
        // It is not written to either.
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
    // The lock does not wait for a process that writes to it.
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
