//! That every check can fail: a driver with one fault at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use iechor_testkit::report::Status;
use iechor_testkit::{Kit, Report, requirements};

use crate::support::{guest, ordered_guest};

/// A fault of the option `fault`, and the checks that find it.
const FAULTS: &[(&str, &[&str])] = &[
    ("info of nothing fails", &["info-of-nothing-is-inactive"]),
    (
        "dial of nothing is odd",
        &["dial-before-boot-is-not-running"],
    ),
    (
        "stop of nothing fails",
        &["stop-and-remove-of-nothing-succeed"],
    ),
    ("always inactive", &["boot-makes-it-run"]),
    ("dial the wrong thing", &["dial-after-boot-is-buildkit"]),
    ("random version", &["a-fresh-instance-sees-the-same"]),
    ("recreate", &["a-second-boot-changes-nothing"]),
    (
        "recreate what stopped",
        &["boot-starts-a-stopped-container-again"],
    ),
    (
        "a lost container is lost",
        &["boot-replaces-a-lost-container"],
    ),
    ("stop works once", &["stop-twice-and-remove-twice"]),
    ("never keep the state", &["remove-keeps-the-state"]),
    ("never keep the daemon", &["remove-keeps-the-daemon"]),
    ("odd host gateway", &["host-gateway-answers"]),
    ("hide conflicts", &["foreign-containers-are-left-alone"]),
    ("do without the volume", &["foreign-volumes-are-left-alone"]),
    (
        "hide denials",
        &[
            "denied-container.privileged",
            "denied-image.pull",
            "nothing-granted",
        ],
    ),
    (
        "panic on errors",
        &[
            "engine-errors-in-boot",
            "lost-answers-in-boot",
            "faults-in-stop",
            "faults-in-remove",
            "faults-in-queries",
        ],
    ),
    (
        "boot with the image fails",
        &["cancel-in-boot", "hanging-calls-in-boot"],
    ),
    (
        "forget the volume of a lost container",
        &["cancel-in-stop-and-remove", "faults-in-remove"],
    ),
    (
        "do not wait",
        &[
            "buildkit-that-takes-its-time",
            "buildkit-that-never-answers",
            "buildkit-that-hangs",
        ],
    ),
    (
        "destroy on errors",
        &[
            "buildkit-that-never-answers",
            "buildkit-that-hangs",
            "a-container-that-dies-ends-the-boot",
            "a-container-that-cannot-start-ends-the-boot",
        ],
    ),
    (
        "destroy on errors",
        &["engine-errors-in-boot", "lost-answers-in-boot"],
    ),
    (
        "destroy the state on errors",
        &[
            "engine-errors-in-boot",
            "faults-in-remove",
            "denied-image.pull",
            "nothing-granted",
        ],
    ),
    (
        "recreate the state",
        &["cancel-in-boot", "hanging-calls-in-boot"],
    ),
    ("every run is the same", &["every-run-has-its-own-name"]),
    ("every run is another", &["every-run-has-its-own-name"]),
    ("another default", &["defaults-are-what-it-does"]),
    ("drop the flags", &["what-is-configured-arrives"]),
    ("drop the files", &["what-is-configured-arrives"]),
    ("one name for all", &["nodes-do-not-touch-each-other"]),
    (
        "trap on a grace",
        &[
            "stop-and-remove-of-nothing-succeed",
            "stop-twice-and-remove-twice",
        ],
    ),
    ("trap on force", &["stop-twice-and-remove-twice"]),
    (
        "leave everything on force",
        &["stop-twice-and-remove-twice"],
    ),
    (
        "wait for the dead",
        &["a-container-that-dies-ends-the-boot"],
    ),
    (
        "hide the reason",
        &["a-container-that-cannot-start-ends-the-boot"],
    ),
];

/// A fault in functions that get no configuration, and the check that finds it.
const ORDERS: &[(&str, &str)] = &[
    ("no summary", "describe-is-sound"),
    ("ask for a pul", "describe-is-sound"),
    ("give a table a default", "describe-is-sound"),
    ("reach out", "pure-functions-reach-nothing"),
    ("never the same", "pure-functions-repeat-themselves"),
    ("wrong default", "validate-accepts-its-defaults"),
    ("accept everything", "validate-refuses-what-is-wrong"),
];

/// A fault that is worth a warning only.
const WARNINGS: &[(&str, &str)] = &[
    ("keep a step", "handles-are-given-back"),
    ("do not wait", "buildkit-without-workers"),
    ("do not join", "two-boots-at-once-end-well"),
];

/// What is done otherwise than by the drivers that are built in, and is no fault.
const SHAPES: &[&str] = &["stop is removal", "probe with a command"];

async fn run(fault: &str, only: &[&str]) -> Report {
    let mut kit = Kit::load(guest()).await.unwrap();
    if !fault.is_empty() {
        kit = kit.option("fault", fault);
    }
    let run = only
        .iter()
        .fold(kit.conformance(), |run, name| run.only(*name));
    run.run().await
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report
        .tests
        .iter()
        .filter(|test| test.status == Status::Failed);
    failed.map(|test| test.name.as_str()).collect()
}

#[tokio::test]
async fn a_driver_without_a_fault_passes_everything() {
    let report = run("", &[]).await;
    report.assert_passed();
    assert_eq!(report.count(Status::Passed), report.tests.len());
}

#[tokio::test]
async fn a_capability_that_there_is_not_comes_with_the_one_that_was_meant() {
    let directory = tempfile::tempdir().unwrap();
    let guest = ordered_guest(directory.path(), "ask for a pul");
    let run = Kit::load(guest).await.unwrap().conformance();
    let report = run.only("describe-is-sound").run().await;
    let failure = report.tests[0].failure.as_ref().unwrap();
    let words = "did you mean image.pull?";
    assert!(failure.happened.contains(words), "{failure:?}");
}

#[tokio::test]
async fn a_driver_may_do_things_in_its_own_way() {
    for shape in SHAPES {
        let report = run(shape, &[]).await;
        report.assert_passed();
        assert_eq!(report.count(Status::Warned), 0, "{shape}");
    }
    // The kit has a file for it.
    let directory = tempfile::tempdir().unwrap();
    let guest = ordered_guest(directory.path(), "require a file");
    let report = Kit::load(guest).await.unwrap().conformance().run().await;
    report.assert_passed();
}

#[tokio::test]
async fn every_check_finds_a_fault() {
    for (fault, checks) in FAULTS {
        let report = run(fault, checks).await;
        assert_eq!(
            failed(&report).len(),
            checks.len(),
            "{fault}: {:#?}",
            report.tests
        );
        for test in &report.tests {
            let failure = test.failure.as_ref().unwrap();
            assert!(
                !failure.expected.is_empty() && !failure.happened.is_empty(),
                "{test:?}"
            );
            // Somebody has to be able to see what went wrong.
            assert!(!failure.trace.is_empty(), "{test:?}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    for (order, check) in ORDERS {
        let kit = Kit::load(ordered_guest(directory.path(), order))
            .await
            .unwrap();
        let report = kit.conformance().only(*check).run().await;
        assert_eq!(failed(&report), [*check], "{order}: {:#?}", report.tests);
    }
    for (fault, check) in WARNINGS {
        let report = run(fault, &[check]).await;
        let test = report.test(check).unwrap();
        assert_eq!(test.status, Status::Warned, "{test:?}");
        assert!(test.note.is_some());
    }
}

#[test]
fn no_check_is_left_out_here() {
    let named: BTreeSet<&str> = FAULTS
        .iter()
        .flat_map(|(_, checks)| checks.iter().copied())
        .chain(ORDERS.iter().chain(WARNINGS).map(|(_, check)| *check))
        .collect();
    for (name, text) in requirements() {
        let found = if name.ends_with('-') {
            named.iter().any(|check| check.starts_with(name))
        } else {
            named.contains(name)
        };
        assert!(found, "no fault shows that {name} can fail");
        assert!(
            text.contains("Source: "),
            "{name} does not say where it is written"
        );
    }
}

#[tokio::test]
async fn a_driver_that_never_ends_ends_the_check_and_not_the_machine() {
    for (fault, check, words) in [
        // Looks take time, so the boot is over when its time is.
        (
            "look at the clock for ever",
            "boot-makes-it-run",
            "did not finish boot within 10 min",
        ),
        (
            "talk for ever in stop",
            "stop-twice-and-remove-twice",
            "stop made more than 100000 calls to the host; the last was log.enabled",
        ),
        (
            "talk at length in stop",
            "stop-twice-and-remove-twice",
            "the trace has more than 32 MiB",
        ),
    ] {
        let report = run(fault, &[check]).await;
        assert_eq!(failed(&report), [check], "{fault}");
        let failure = report.test(check).unwrap().failure.as_ref().unwrap();
        assert!(failure.happened.contains(words), "{fault}: {failure:?}");
        assert!(!failure.trace.is_empty(), "{fault}");
    }
    // Not so where somebody only waits in an odd way.
    let report = run("look at the clock for a second", &[]).await;
    report.assert_passed();

    let directory = tempfile::tempdir().unwrap();
    let ordered = ordered_guest(directory.path(), "look at the clock for ever");
    let report = Kit::load(ordered).await.unwrap().conformance().run().await;
    assert_eq!(failed(&report), ["driver-can-be-tested"]);

    // Nothing but real time ends this one.
    let kit = Kit::load(guest()).await.unwrap();
    let kit = kit.option("fault", "dawdle for ever");
    let patience = Duration::from_millis(500);
    let report = kit.conformance().patience(patience).run().await;
    assert_eq!(failed(&report), ["driver-can-be-tested"]);
    let failure = report.tests[0].failure.as_ref().unwrap();
    assert!(failure.happened.contains("real time"), "{failure:?}");
}

#[tokio::test]
async fn a_driver_that_cannot_be_asked_fails_as_a_whole() {
    let kit = Kit::load(guest()).await.unwrap().option("memory", "banana");
    let report = kit.conformance().run().await;
    assert_eq!(failed(&report), ["driver-can-be-tested"]);
    assert!(!report.passed());
}
