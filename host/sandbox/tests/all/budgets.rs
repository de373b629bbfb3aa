//! What a hostile or broken driver gets: a typed error that names it, an engine without its
//! traces, and a host on which the next operation works.

use std::sync::Arc;

use iechor_sandbox::contract::{Error, Severity, StopOptions};
use iechor_sandbox::{Driver, DriverError, limits};

use crate::support::{
    CONTAINER, Nodes, Stage, VOLUME, bounded, config, guest, load, ordered_guest, pairs, stage,
};

/// Boots with a behaviour, checks that nothing is left, and that a second operation works.
async fn boot(bench: &Stage, behaviour: &str) -> Result<(), DriverError> {
    let driver = load(guest()).await;
    let before = bench.objects().await;
    let node = bench.with_options(&driver, &[("behave", behaviour)]).await;
    let result = bounded(node.boot()).await;
    if let Err(error) = &result {
        assert_eq!(
            bench.objects().await,
            before,
            "{behaviour} left something: {error}"
        );
        let named = error.to_string().contains(driver.name());
        assert!(
            named || matches!(error, DriverError::Failed { .. }),
            "{error}"
        );
    }
    let next = bench.with_options(&driver, &[("behave", "nothing")]).await;
    bounded(next.boot()).await.unwrap();
    result
}

async fn failure(behaviour: &str) -> DriverError {
    boot(&stage(), behaviour).await.expect_err("it worked")
}

#[track_caller]
fn assert_over_budget(error: &DriverError, expected: &str) {
    let DriverError::OverBudget { budget, .. } = error else {
        panic!("{error:?}")
    };
    assert!(budget.contains(expected), "{budget}");
}

#[track_caller]
fn assert_crashed(error: &DriverError, expected: &str) {
    let DriverError::Crashed { reason, .. } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains(expected), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn computing_for_ever() {
    assert_over_budget(&failure("spin").await, "computed for more than 5 s");
}

#[tokio::test(start_paused = true)]
async fn creating_and_then_computing_for_ever() {
    assert_over_budget(
        &failure("create and spin").await,
        "computed for more than 5 s",
    );
}

#[tokio::test(start_paused = true)]
async fn computing_for_ever_at_instantiation() {
    let driver = ordered_guest("spin at start").await;
    let error = bounded(driver.descriptor()).await.unwrap_err();
    assert_over_budget(&error, "computed for more than 5 s");
}

#[tokio::test(start_paused = true)]
async fn computing_for_ever_in_describe() {
    let driver = ordered_guest("spin in describe").await;
    let error = bounded(driver.descriptor()).await.unwrap_err();
    assert_over_budget(&error, "computed for more than 5 s");
}

#[tokio::test(start_paused = true)]
async fn memory_without_end() {
    assert_over_budget(&failure("allocate").await, "more than the 256 MiB");
}

#[tokio::test(start_paused = true)]
async fn recursion_without_end() {
    assert_crashed(&failure("recurse").await, "call stack exhausted");
    let driver = ordered_guest("recurse in describe").await;
    assert_crashed(
        &driver.descriptor().await.unwrap_err(),
        "call stack exhausted",
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_reported_with_its_words() {
    assert_crashed(&failure("panic").await, "boot was told to panic");
    assert_crashed(&failure("panic in open").await, "open was told to panic");
    let driver = ordered_guest("panic in describe").await;
    assert_crashed(
        &driver.descriptor().await.unwrap_err(),
        "describe was told to panic",
    );
    let driver = load(guest()).await;
    let mut config = config();
    config.options = pairs(&[("behave", "panic in validate")]);
    assert_crashed(
        &driver.validate(&config).await.unwrap_err(),
        "validate was told to panic",
    );
    config.options.clear();
    driver.validate(&config).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn leaving_the_process() {
    assert_crashed(&failure("exit").await, "");
}

#[tokio::test(start_paused = true)]
async fn much_on_stderr_is_no_crash_and_its_end_is_kept() {
    assert_crashed(&failure("flood stderr").await, "the last words");
}

#[tokio::test(start_paused = true)]
async fn what_was_logged_explains_a_crash() {
    assert_crashed(&failure("log and trap").await, "the last record");
}

#[tokio::test(start_paused = true)]
async fn huge_strings() {
    assert_over_budget(&failure("huge string").await, "16 MiB");
    assert_over_budget(&failure("huge error").await, "16 MiB");
    let driver = ordered_guest("huge describe").await;
    assert_over_budget(&driver.descriptor().await.unwrap_err(), "16 MiB");
}

#[tokio::test(start_paused = true)]
async fn handles_without_end() {
    assert_over_budget(&failure("open handles").await, "1024 things");
    let error = failure("open containers").await;
    let DriverError::Failed {
        error: Error::LimitExceeded(words),
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(words.contains("handles"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn creations_and_requests_without_end() {
    for (behaviour, expected) in [
        ("create for ever", "more than 32 objects"),
        ("flood engine", "more than 10000 requests"),
    ] {
        let error = failure(behaviour).await;
        let DriverError::Failed {
            error: Error::LimitExceeded(words),
            ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert!(words.contains(expected), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn sleeping_for_ever() {
    for behaviour in [
        "sleep",
        "sleep on and on",
        "sleep in the standard library",
        "create and sleep",
    ] {
        let error = failure(behaviour).await;
        let DriverError::TimedOut {
            operation: "boot",
            limit,
            ..
        } = error
        else {
            panic!("{behaviour}: {error:?}")
        };
        assert_eq!(limit, limits::BOOT);
    }
    let driver = load(guest()).await;
    let node = stage().with_options(&driver, &[]).await;
    let error = node
        .stop(StopOptions {
            force: false,
            grace: None,
        })
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::TimedOut {
                operation: "stop",
                ..
            }
        ),
        "{error:?}"
    );
}

/// Calls that return at once never wait, so only real time ends them.
#[tokio::test]
async fn logging_for_ever() {
    let mut bench = stage();
    bench.boot_limit = std::time::Duration::from_secs(1);
    let error = boot(&bench, "flood log").await.unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::TimedOut {
                operation: "boot",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_reaches_the_log_and_the_screen_is_bounded() {
    let most_records = limits::OUTPUT_BYTES / limits::RECORD_BYTES as u64;
    for behaviour in [
        "flood log for a while",
        "flood empty records",
        "flood output",
    ] {
        let bench = stage();
        boot(&bench, behaviour).await.unwrap();
        let (shown, logged) = (bench.watcher.shown(), bench.watcher.logged());
        let records = (shown.len() + logged.len()) as u64;
        assert!(
            records > 100 && records <= most_records + 2,
            "{behaviour}: {records}"
        );
        let bytes: usize = logged.iter().map(String::len).sum();
        assert!(bytes as u64 <= limits::OUTPUT_BYTES, "{behaviour}: {bytes}");
    }
    for (behaviour, most) in [
        ("flood steps", 2 * limits::STEPS),
        ("flood counters", limits::STEPS + 1),
    ] {
        let bench = stage();
        boot(&bench, behaviour).await.unwrap();
        let shown = bench.watcher.shown().len() as u64;
        // Counters are shown again after a while; however slow the machine, not each time.
        assert!(shown > 100 && shown <= most + 2_000, "{behaviour}: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_created_is_removed_whatever_ends_the_operation() {
    let error = failure("create and fail").await;
    assert!(error.to_string().contains("changed my mind"), "{error}");
    assert_crashed(&failure("create and panic").await, "after the creation");
    // Without a failure everything stays.
    let bench = stage();
    boot(&bench, "create and succeed").await.unwrap();
    assert_eq!(
        bench.objects().await,
        [format!("container {CONTAINER}"), format!("volume {VOLUME}")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_what_sleeps_and_what_computes() {
    for behaviour in ["create and sleep", "create and spin"] {
        let bench = stage();
        let driver = load(guest()).await;
        let node = bench.with_options(&driver, &[("behave", behaviour)]).await;
        let cancel = async {
            // Its last request before it goes astray.
            while !bench
                .engine
                .journal()
                .iter()
                .any(|line| line.starts_with("start_container"))
            {
                tokio::task::yield_now().await;
            }
            bench.cancel.cancel();
        };
        let (result, ()) = bounded(async { tokio::join!(node.boot(), cancel) }).await;
        assert!(
            matches!(result, Err(DriverError::Cancelled { operation: "boot" })),
            "{result:?}"
        );
        assert_eq!(bench.objects().await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_is_said() {
    let bench = stage();
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", "create and sleep")])
        .await;
    // The requests of the creation; all that undo makes fail.
    let healthy = {
        let rehearsal = stage();
        let node = rehearsal
            .with_options(&driver, &[("behave", "create and succeed")])
            .await;
        node.boot().await.unwrap();
        rehearsal.engine.calls()
    };
    for call in healthy + 1..healthy + 10 {
        bench
            .engine
            .fail_call(call, iechor_engine::EngineError::Protocol("down".into()));
    }
    node.boot().await.unwrap_err();
    let logged = bench.watcher.logged();
    for name in [CONTAINER, VOLUME] {
        let said = logged
            .iter()
            .any(|line| line.contains(&format!("{name} is left behind")));
        assert!(said, "{logged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_its_own() {
    let bench = stage();
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", "forge a connection")])
        .await;
    let error = node.dial().await.err().unwrap();
    assert_crashed(&error, "");
    assert!(matches!(
        error,
        DriverError::Crashed {
            operation: "dial",
            ..
        }
    ));
    node.info().await.unwrap();
}

#[track_caller]
fn assert_clean(text: &str) {
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
}

/// Everything that is shown of an error, its parts included.
fn assert_clean_error(error: &DriverError) {
    assert_clean(&error.to_string());
    match error {
        DriverError::Failed {
            error: Error::Other(words),
            ..
        } => assert_clean(words),
        DriverError::Failed {
            error: Error::Denied(denial),
            ..
        } => {
            assert_clean(&denial.capability);
            assert_clean(&denial.detail);
        }
        DriverError::InvalidConfiguration { issues, .. } => {
            assert!(issues.iter().any(|issue| issue.severity == Severity::Error));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn control_sequences_reach_nobody() {
    for behaviour in ["colour", "colour denial"] {
        let bench = stage();
        assert_clean_error(&boot(&bench, behaviour).await.unwrap_err());
        bench
            .watcher
            .shown()
            .iter()
            .for_each(|line| assert_clean(line));
        bench
            .watcher
            .logged()
            .iter()
            .for_each(|line| assert_clean(line));
    }
    let driver = load(guest()).await;
    let mut config = config();
    config.options = pairs(&[("behave", "colour in validate")]);
    assert_clean_error(&driver.validate(&config).await.unwrap_err());
    let node = stage().with_options(&driver, &[]).await;
    assert_eq!(node.version().await.unwrap(), "v1");

    let driver: Arc<Driver> = ordered_guest("colour describe").await;
    assert_eq!(driver.descriptor().await.unwrap().summary, "red");
    let error = driver.grants(&[]).await.unwrap_err();
    assert_clean(&error.to_string());
}
