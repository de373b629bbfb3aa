//! The kind of an engine's failure survives a driver.

use iechor_engine::simulated::Fault;
use iechor_engine::{EngineError, EngineErrorKind};
use iechor_sandbox::{DriverError, Sandbox};

use crate::support::{Answers, IMAGE, Nodes, Stage, bounded};

#[tokio::test(start_paused = true)]
async fn the_kind_of_an_engines_failure_survives_a_driver() {
    let refused = |message: &str| EngineError::Refused {
        status: 500,
        message: message.into(),
    };
    let privileged = EngineError::PrivilegedRefused {
        status: 500,
        message: "unable to apply caps: operation not permitted".into(),
    };
    let unreachable = EngineError::Unreachable {
        endpoint: "unix:///run/simulated.sock".into(),
        reason: "connection reset".into(),
    };
    for (call, failure, expected) in [
        (
            "create_container",
            privileged.clone(),
            EngineErrorKind::PrivilegedRefused,
        ),
        (
            "start_container",
            privileged,
            EngineErrorKind::PrivilegedRefused,
        ),
        (
            "create_container",
            unreachable,
            EngineErrorKind::Unreachable,
        ),
        // Only the place where an answer is read decides by its text.
        (
            "start_container",
            refused("unable to apply caps"),
            EngineErrorKind::Refused,
        ),
    ] {
        let driver = Sandbox::embedded("iechor-container").unwrap().unwrap();
        let bench = Stage {
            grants: driver.grants(&[]).await.unwrap(),
            ..Stage::new(Answers::Never)
        };
        bench.engine.add_plain_to_registry(IMAGE);
        bench.engine.set_fault_of(call, Fault::Error(failure));
        let node = bench.with_options(&driver, &[]).await;
        let error = bounded(node.boot()).await.unwrap_err();
        let DriverError::Failed { engine, .. } = &error else {
            panic!("{call}: {error:?}")
        };
        assert_eq!(*engine, Some(expected), "{call}: {error}");
    }
}
