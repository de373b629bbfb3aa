//! What an observer sees of a driver.

use std::sync::{Arc, Mutex};

use iechor_sandbox::contract::Error;
use iechor_sandbox::{DriverError, Observer};

use crate::support::{Nodes, granting, guest, load};

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Seen {
    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Seen {
    fn begin(&self, operation: &'static str) {
        self.push(format!("begin {operation}"));
    }
    fn call(&self, function: &'static str, arguments: &str) {
        self.push(format!("call {function} {arguments}"));
    }
    fn answer(&self, answer: &str) {
        self.push(format!("answer {answer}"));
    }
    fn error(&self, error: &Error) {
        self.push(format!("error {error:?}"));
    }
    fn kept(&self, kind: &'static str, number: usize) {
        self.push(format!("kept {number} {kind}"));
    }
    fn end(&self, operation: &'static str, outcome: Result<(), &DriverError>) {
        self.push(format!("end {operation} {}", outcome.is_ok()));
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_call_and_error_is_seen() {
    let seen = Arc::new(Seen::default());
    let driver = load(guest()).await.observed(seen.clone());
    let bench = granting(&driver, &[]).await;
    assert_eq!(seen.take(), ["begin describe", "end describe true"]);

    let node = bench
        .with_options(&driver, &[("behave", "create and succeed")])
        .await;
    assert_eq!(seen.take(), ["begin validate", "end validate true"]);
    node.boot().await.unwrap();
    assert_eq!(
        seen.take(),
        [
            "begin boot",
            "call volume.create buildx_buildkit_node0_state",
            "call container.create buildx_buildkit_node0 image=image \
             mounts=buildx_buildkit_node0_state:/data",
            "call container.start buildx_buildkit_node0",
            "end boot true",
        ]
    );

    let node = bench
        .with_options(&driver, &[("behave", "network"), ("value", "host net")])
        .await;
    seen.take();
    node.boot().await.unwrap_err();
    let lines = seen.take();
    assert_eq!(
        lines[1],
        "call container.create buildx_buildkit_node0 image=image network=\"host net\""
    );
    assert!(lines[2].contains("Denied"), "{lines:?}");
    assert_eq!(lines[3..], ["end boot false"]);
}

#[tokio::test(start_paused = true)]
async fn handles_that_a_driver_kept_are_counted() {
    let seen = Arc::new(Seen::default());
    let driver = load(guest()).await.observed(seen.clone());
    let bench = granting(&driver, &[]).await;
    let node = bench
        .with_options(&driver, &[("behave", "keep a step")])
        .await;
    node.boot().await.unwrap();
    let lines = seen.take();
    assert!(lines.contains(&"kept 1 task".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_functions_that_a_driver_imports_are_named_as_they_are_called() {
    let functions = load(guest()).await.imported_functions();
    for function in [
        "container.create",
        "container.list-all",
        "task.new",
        "clock.sleep",
    ] {
        assert!(
            functions.iter().any(|name| name == function),
            "{functions:?}"
        );
    }
    // The guest never asks for the session of a build.
    assert!(
        !functions.iter().any(|name| name == "session.current"),
        "{functions:?}"
    );
}
