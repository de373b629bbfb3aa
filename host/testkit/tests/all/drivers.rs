//! The drivers that are built in.

use iechor_sandbox::{EMBEDDED, Sandbox};
use iechor_testkit::report::Status;
use iechor_testkit::{Kit, requirements};

use crate::support::component;

#[tokio::test]
async fn every_driver_that_is_built_in_conforms() {
    for embedded in EMBEDDED {
        let driver = Sandbox::embedded(embedded.name).unwrap().unwrap();
        let report = Kit::new(driver).conformance().run().await;
        report.assert_passed();
        let warnings: Vec<_> = report
            .tests
            .iter()
            .filter(|test| test.status == Status::Warned)
            .map(|test| format!("{}: {:?}", test.name, test.note))
            .collect();
        assert!(warnings.is_empty(), "{}: {warnings:#?}", embedded.name);
        // Every requirement was considered, and each that was skipped says why.
        for (name, _) in requirements().filter(|(name, _)| !name.ends_with('-')) {
            let test = report.test(name).unwrap();
            assert!(
                test.status != Status::Skipped || test.note.is_some(),
                "{name}"
            );
        }
    }
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
    // It joins a network of the user's only where an option names one.
    assert_eq!(skipped, ["denied-container.network"]);
    assert!(report.coverage.exports_never_called.is_empty());
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
