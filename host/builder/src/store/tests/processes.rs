//! Several threads and processes that write.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::time::Instant;

use super::*;

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
        .args([
            "--exact",
            "store::tests::processes::child_that_writes",
            "--nocapture",
        ])
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
