//! The drivers that are built in, and the examples: whatever a driver is written in, the
//! contract is the same.

use std::sync::Arc;

use iechor_sandbox::{Driver, EMBEDDED, Sandbox};
use iechor_testkit::report::{Report, Status};
use iechor_testkit::{Kit, requirements};

use crate::support::{component, python_driver};

/// Asserts that a driver meets every requirement, without a warning.
async fn assert_conforms(driver: Arc<Driver>) -> Report {
    let name = driver.name().to_owned();
    let report = Kit::new(driver).conformance().run().await;
    report.assert_passed();
    let warnings: Vec<_> = report
        .tests
        .iter()
        .filter(|test| test.status == Status::Warned)
        .map(|test| format!("{}: {:?}", test.name, test.note))
        .collect();
    assert!(warnings.is_empty(), "{name}: {warnings:#?}");
    // Every requirement was considered, and each that was skipped says why.
    for (requirement, _) in requirements().filter(|(name, _)| !name.ends_with('-')) {
        let test = report.test(requirement).unwrap();
        assert!(
            test.status != Status::Skipped || test.note.is_some(),
            "{name}: {requirement}"
        );
    }
    report
}

#[tokio::test]
async fn every_driver_that_is_built_in_conforms() {
    for embedded in EMBEDDED {
        assert_conforms(Sandbox::embedded(embedded.name).unwrap().unwrap()).await;
    }
}

#[tokio::test]
async fn the_driver_in_python_conforms() {
    let driver = Sandbox::file(&python_driver()).await.unwrap();
    let report = assert_conforms(driver).await;
    assert!(report.tests.iter().all(|t| t.status != Status::Skipped));
    assert!(report.coverage.exports_never_called.is_empty());
}

#[tokio::test]
async fn the_container_driver_is_asked_everything() {
    let driver = Sandbox::embedded("iechor-container").unwrap().unwrap();
    let report = Kit::new(driver).conformance().run().await;
    let skipped: Vec<_> = report
        .tests
        .iter()
        .filter(|test| test.status == Status::Skipped)
        .map(|test| test.name.as_str())
        .collect();
    // What the driver only asks for on request of the user.
    let on_request = [
        ("denied-container.bind", "mount", "/srv/shared:/mnt/shared"),
        ("denied-container.devices", "gpus", "all"),
        ("denied-direct.connect", "transport", "direct"),
    ];
    assert_eq!(skipped, on_request.map(|(name, ..)| name));
    assert!(report.coverage.exports_never_called.is_empty());
    for (name, option, value) in on_request {
        let driver = Sandbox::embedded("iechor-container").unwrap().unwrap();
        let kit = Kit::new(driver).option(option, value);
        let report = kit.conformance().only(name).run().await;
        assert_eq!(report.count(Status::Passed), 1, "{:#?}", report.tests);
    }
}

#[tokio::test]
async fn whatever_remote_asks_for_is_denied_by_an_endpoint_that_needs_it() {
    let driver = Sandbox::embedded("remote").unwrap().unwrap();
    let run = Kit::new(driver).conformance().only("denied-*");
    let report = run.run().await;
    assert_eq!(report.count(Status::Passed), 3, "{:#?}", report.tests);
    assert_eq!(report.tests.len(), 3);
}

#[tokio::test]
async fn a_daemon_behind_tls_is_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("pem");
    let text = "-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n";
    std::fs::write(&pem, text).unwrap();
    let pem = pem.to_str().unwrap();
    for (endpoint, options) in [
        ("tcp://buildkit.example:1234", &["cacert"][..]),
        ("tcp://[::1]:1234", &["cacert", "cert", "key"]),
    ] {
        let driver = Sandbox::embedded("remote").unwrap().unwrap();
        let mut kit = Kit::new(driver).endpoint(endpoint);
        for option in options {
            kit = kit.option(*option, pem);
        }
        kit = kit.option("servername", "inside.example");
        let report = kit.conformance().run().await;
        report.assert_passed();
        assert_eq!(report.count(Status::Warned), 0, "{:#?}", report.tests);
    }
    // Nobody's authorities but those of the system: the kit's is none of them.
    let driver = Sandbox::embedded("remote").unwrap().unwrap();
    let kit = Kit::new(driver).endpoint("tcp://buildkit.example:1234");
    let kit = kit.option("servername", "inside.example");
    let run = kit.conformance().only("boot-makes-it-run");
    assert!(!run.run().await.passed());
    // A file that is not there is not replaced in silence.
    let driver = Sandbox::embedded("remote").unwrap().unwrap();
    let kit = Kit::new(driver).endpoint("tcp://buildkit.example:1234");
    let report = kit.option("cacert", "/nowhere").conformance().run().await;
    let failure = report
        .test("driver-can-be-tested")
        .unwrap()
        .failure
        .as_ref();
    assert!(failure.unwrap().happened.contains("/nowhere"));
}

#[tokio::test]
async fn the_example_of_a_policy_conforms() {
    let report = Kit::load(component("iechor-driver-team"))
        .await
        .unwrap()
        .conformance()
        .run()
        .await;
    report.assert_passed();
}
