//! What the exports of a hostile driver can do to the host: trap, answer with too much, hand over
//! what is not theirs, or put into words what moves a cursor. The next call works all the same.

use std::process::Command;
use std::sync::Arc;

use iechor_sandbox::contract::{Error, Feature, RemoveOptions, StopOptions};
use iechor_sandbox::{Driver, DriverError, Node};

use crate::support::{Nodes, Stage, bounded, guest, load, ordered_guest, stage};

/// A node of the guest that behaves so, in an empty world.
async fn node(behaviour: &str) -> (Stage, Node) {
    let stage = stage();
    let driver = load(guest()).await;
    let node = stage.with_options(&driver, &[("behave", behaviour)]).await;
    (stage, node)
}

async fn call(node: &Node, export: &str) -> Result<(), DriverError> {
    let remove = RemoveOptions {
        force: false,
        keep_state: false,
        keep_daemon: false,
    };
    let stop = StopOptions {
        force: false,
        grace: None,
    };
    bounded(async {
        match export {
            "info" => node.info().await.map(drop),
            "dial" => node.dial().await.map(drop),
            "version" => node.version().await.map(drop),
            "features" => node.features().await.map(drop),
            "stop" => node.stop(stop).await,
            "remove" => node.remove(remove).await,
            "host-gateway" => node.host_gateway().await.map(drop),
            "boot" => node.boot().await,
            other => panic!("no export {other}"),
        }
    })
    .await
}

#[track_caller]
fn assert_crashed(error: &DriverError, during: &str, words: &str) {
    let DriverError::Crashed {
        operation, reason, ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(*operation, during);
    assert!(reason.contains(words), "{reason}");
}

#[track_caller]
fn assert_over_budget(error: &DriverError, words: &str) {
    let DriverError::OverBudget { budget, .. } = error else {
        panic!("{error:?}")
    };
    assert!(budget.contains(words), "{budget}");
}

#[tokio::test(start_paused = true)]
async fn a_trap_in_any_export_is_one_failed_call() {
    for export in [
        "info",
        "dial",
        "version",
        "features",
        "stop",
        "remove",
        "host-gateway",
    ] {
        let (stage, node) = node(&format!("panic in {export}")).await;
        let error = call(&node, export).await.unwrap_err();
        assert_crashed(&error, export, &format!("{export} was told to panic"));
        // The same node, whose store is gone: another export answers.
        let next = if export == "info" { "features" } else { "info" };
        call(&node, next).await.unwrap();
        assert_eq!(stage.objects().await, [""; 0]);
    }
    let driver = ordered_guest("panic in priority").await;
    let error = driver.priority("unix:///x").await.unwrap_err();
    assert_crashed(&error, "priority", "priority was told to panic");
    driver.descriptor().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_runs_at_instantiation_has_the_same_limits() {
    let refused = async |order: &str| -> DriverError {
        let driver: Arc<Driver> = ordered_guest(order).await;
        bounded(driver.descriptor()).await.unwrap_err()
    };
    assert_over_budget(&refused("allocate at start").await, "more than the 256 MiB");
    assert_crashed(
        &refused("recurse at start").await,
        "describe",
        "call stack exhausted",
    );
    assert_crashed(
        &refused("panic at start").await,
        "describe",
        "the start was told to panic",
    );
}

#[tokio::test(start_paused = true)]
async fn too_much_is_too_much_wherever_it_is_passed() {
    for behaviour in ["many strings", "huge step", "huge name", "huge file"] {
        let (stage, node) = node(behaviour).await;
        assert_over_budget(&call(&node, "boot").await.unwrap_err(), "16 MiB");
        assert_eq!(stage.objects().await, [""; 0]);
        call(&node, "info").await.unwrap();
    }
    for (behaviour, export) in [
        ("huge version", "version"),
        ("much beside the state", "info"),
    ] {
        let (_, node) = node(behaviour).await;
        assert_over_budget(&call(&node, export).await.unwrap_err(), "16 MiB");
        call(&node, "features").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_not_its_own_ends_the_driver() {
    for behaviour in [
        "forge a container",
        "use what was dropped",
        "take one for another",
    ] {
        let (stage, node) = node(behaviour).await;
        let error = call(&node, "boot").await.unwrap_err();
        assert_crashed(&error, "boot", "");
        let journal = stage.engine.journal();
        assert!(
            !journal.iter().any(|line| line.starts_with("start")),
            "{journal:#?}"
        );
        assert_eq!(stage.objects().await, [""; 0]);
        call(&node, "info").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_word_of_any_export_moves_a_cursor() {
    let (_, node) = node("nothing").await;
    let info = node.info().await.unwrap();
    assert_eq!(info.extra, [("name".to_owned(), "value".to_owned())]);
    assert_eq!(info.run.as_deref(), Some("run"));
    let features = node.features().await.unwrap();
    assert!(
        matches!(features.as_slice(), [Feature::Other(name)] if name == "feature"),
        "{features:?}"
    );
    assert_eq!(node.host_gateway().await.unwrap(), "gateway");
    assert_eq!(node.version().await.unwrap(), "v1");
}

const BEHAVIOUR: &str = "IECHOR_TEST_BEHAVIOUR";

/// The most memory that the process had in its life, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

#[tokio::test(start_paused = true)]
#[ignore = "the other half of the test that runs it in a child"]
async fn misbehaves_in_a_process_of_its_own() {
    let behaviour = std::env::var(BEHAVIOUR).unwrap();
    let (_, node) = node(&behaviour).await;
    let before = peak();
    let result = call(&node, "boot").await;
    if let Err(error) = &result {
        assert!(
            !matches!(
                error,
                DriverError::Failed {
                    error: Error::Other(_),
                    ..
                }
            ),
            "{error}"
        );
    }
    println!("grew by {} MiB", peak() - before);
}

#[test]
fn the_memory_of_the_host_is_bounded() {
    // So that the children find it compiled.
    let component = guest();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(load(component));
    // What the driver may have, with what one call passes and what the watcher keeps.
    let most = (iechor_sandbox::limits::MEMORY_BYTES >> 20) as u64 + 128;
    for behaviour in [
        "allocate",
        "recurse",
        "huge string",
        "many strings",
        "huge file",
        "open handles",
        "flood output",
        "flood large output",
        "flood steps",
        "flood counters",
        "flood counters with long names",
        "flood log for a while",
        "flood empty records",
        "flood stderr",
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "exports::misbehaves_in_a_process_of_its_own"])
            .args(["--ignored", "--nocapture"])
            .env(BEHAVIOUR, behaviour)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{behaviour}: {text}");
        let grown: u64 = text
            .lines()
            .find_map(|line| line.split_once("grew by ")?.1.strip_suffix(" MiB"))
            .unwrap()
            .parse()
            .unwrap();
        assert!(grown <= most, "{behaviour}: {grown} MiB");
    }
}
