//! Few bytes of a driver that stand for many things: refused before any of it is built, with nothing
//! left in the engine.

use std::sync::Arc;

use iechor_engine::EngineError;
use iechor_engine::simulated::Fault;
use iechor_sandbox::DriverError;
use iechor_sandbox::contract::Error;

use crate::support::{Nodes, Stage, granting, guest, load, stage};

/// Boots the guest with a behaviour, and checks that nothing of it is left.
async fn boot(bench: &Stage, behaviour: &str) -> DriverError {
    let driver = load(guest()).await;
    let node = bench.with_options(&driver, &[("behave", behaviour)]).await;
    let error = node.boot().await.expect_err(behaviour);
    assert_eq!(bench.objects().await, [""; 0], "{behaviour}: {error}");
    error
}

#[track_caller]
fn assert_exceeded(error: &DriverError, expected: &str) {
    let DriverError::Failed {
        error: Error::LimitExceeded(words),
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(words.contains(expected), "{words}");
}

/// A stage on which a driver may copy any files, so that only their amount counts.
async fn any_files() -> Stage {
    granting(load(guest()).await.as_ref(), &["container.command"]).await
}

#[tokio::test(start_paused = true)]
async fn copies_are_bounded_before_anything_is_built() {
    for (behaviour, expected) in [
        ("copy below many directories", "30000 files and directories"),
        ("copy many files", "30000 files and directories"),
        ("copy a deep path", "101 names, and may have 32"),
        ("copy a long path", "100000 bytes, and may have 1024"),
        ("copy large files", "at most 8 MiB"),
    ] {
        let bench = any_files().await;
        assert_exceeded(&boot(&bench, behaviour).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_leaves_no_container() {
    // Its creation is the first call, and the copy the second.
    for fault in [
        Fault::Error(EngineError::Protocol("broken".into())),
        Fault::LoseAnswer(EngineError::Protocol("broken".into())),
    ] {
        let bench = any_files().await;
        let driver = load(guest()).await;
        let node = bench
            .with_options(&driver, &[("behave", "copy"), ("value", "a")])
            .await;
        node.boot().await.unwrap();
        let copy = bench
            .engine
            .journal()
            .iter()
            .position(|line| line.starts_with("copy_into_container"))
            .unwrap();
        let bench = any_files().await;
        bench.engine.set_fault(copy as u64 + 1, fault);
        let node = bench
            .with_options(&driver, &[("behave", "copy"), ("value", "a")])
            .await;
        let error = node.boot().await.unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
        assert_eq!(bench.objects().await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn words_are_counted_wherever_they_go() {
    for (behaviour, expected) in [
        ("run with many variables", "5001 labels, options and words"),
        (
            "connect with many variables",
            "5001 labels, options and words",
        ),
        ("mount many directories", "5000 mounts"),
        ("join with many names", "5000 labels, options and words"),
    ] {
        let bench = stage();
        assert_exceeded(&boot(&bench, behaviour).await, expected);
        let journal = bench.engine.journal();
        for effect in ["run_in", "dial_in", "connect_network"] {
            assert!(
                !journal.iter().any(|line| line.starts_with(effect)),
                "{journal:#?}"
            );
        }
    }
    for (grant, behaviour, expected) in [
        (
            "engine.open",
            "announce many headers",
            "40000 labels, options and words",
        ),
        (
            "transport.tcp",
            "dial a long name",
            "1048576 bytes, and may have 255",
        ),
    ] {
        let bench = granting(&Arc::clone(&load(guest()).await), &[grant]).await;
        assert_exceeded(&boot(&bench, behaviour).await, expected);
        assert_eq!(bench.network.dialled(), [""; 0]);
    }
}
