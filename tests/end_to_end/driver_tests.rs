//! `driver test`: drivers in isolation, and the simulated engine held to the real one.

use serde_json::Value;

use crate::components::{build, patched};
use crate::support::{Sandbox, docker, wait_until};

fn scenarios() -> String {
    format!("{}/../../tests/scenarios", env!("CARGO_MANIFEST_DIR"))
}

/// The tests of a report that ended so.
fn ended<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let tests = report["tests"].as_array().expect("a list of tests");
    let ended = tests.iter().filter(|test| test["status"] == status);
    ended.filter_map(|test| test["name"].as_str()).collect()
}

fn left_of_tests(prefix: &str) -> String {
    let objects = [
        "ps --all --format {{.Names}}",
        "volume ls --format {{.Name}}",
    ];
    objects
        .map(|list| {
            docker(&format!("{list} --filter name={prefix}"))
                .success()
                .stdout
        })
        .concat()
}

/// What the run calls its objects, as it said.
fn prefix(words: &str) -> String {
    let begin = words
        .find("buildx_buildkit_testkit")
        .expect("it says what it will make");
    words[begin..]
        .split('*')
        .next()
        .expect("a prefix")
        .to_owned()
}

#[test]
fn the_container_driver_does_on_a_real_engine_what_it_does_on_the_simulated_one() {
    let sandbox = Sandbox::new();
    let test = format!(
        "driver test iechor-container --format json --scenario {}",
        scenarios()
    );
    let simulated = sandbox.iechor(&test).success().json();
    assert_eq!(ended(&simulated, "failed"), [""; 0]);

    let finished = sandbox.iechor(&format!("{test} --engine real")).success();
    let real = finished.json();
    assert_eq!(real["subject"]["engine"], "real");
    // The traces beside the scenarios are the simulated engine's. What can be played on a real one
    // is, and what cannot says why: it changes the world as only a simulation can, or is for another
    // driver.
    let of_scenarios = |status| -> Vec<&str> {
        let ended = ended(&real, status).into_iter();
        ended
            .filter_map(|name| name.strip_prefix("scenario:"))
            .collect()
    };
    assert_eq!(
        of_scenarios("passed"),
        [
            "first-boot",
            "foreign-container",
            "local-image",
            "options",
            "refused-settings",
            "stopped-by-others",
            "wrong-options",
        ]
    );
    assert_eq!(
        of_scenarios("skipped"),
        [
            "dying-container",
            "engine-daemon",
            "interrupted",
            "remote-daemon",
            "remote-tls",
            "slow-buildkit",
            "systemd-cgroups",
            "ungranted",
        ]
    );
    for test in real["tests"].as_array().expect("tests") {
        assert!(
            test["status"] != "skipped" || test["note"].is_string(),
            "{test}"
        );
    }
    assert_eq!(left_of_tests(&prefix(&finished.stderr)), "");
}

#[test]
fn the_engines_own_buildkit_is_driven_alike_on_both() {
    let sandbox = Sandbox::new();
    let finished = sandbox
        .iechor(&format!(
            "driver test iechor --engine real --format json --scenario {}",
            scenarios()
        ))
        .success();
    let passed = finished.json();
    assert!(
        ended(&passed, "passed").contains(&"scenario:engine-daemon"),
        "{passed}"
    );
}

#[test]
fn a_driver_that_fails_before_any_test_is_reported_in_every_format() {
    let sandbox = Sandbox::new();
    let component = std::fs::read(build("iechor-guest-faulty")).expect("it is read");
    let order = "trap in describe................";
    let component = patched(&component, "order to the driver: be good....", order);
    let file = sandbox.write("broken.wasm", component);
    let test = format!("driver test {} --format", file.display());
    sandbox
        .iechor(&format!("{test} tap"))
        .failure(1)
        .shows("not ok 1 - driver-can-be-tested")
        .shows("told to trap")
        .says("1 failed");
    sandbox
        .iechor(&format!("{test} junit"))
        .failure(1)
        .shows("name=\"driver-can-be-tested\"")
        .shows("<failure message=");
    let report = sandbox.iechor(&format!("{test} json")).failure(1).json();
    assert_eq!(ended(&report, "failed"), ["driver-can-be-tested"]);
}

#[test]
fn an_interrupted_test_leaves_nothing_in_the_engine() {
    let sandbox = Sandbox::new();
    let mut run = sandbox
        .iechor("driver test iechor-container --engine real --only boot-makes-it-run")
        .start();
    run.wait_until_it_says("creates and removes containers");
    wait_until("a container of the test runs", || {
        docker("ps --quiet --filter name=buildx_buildkit_testkit")
            .stdout
            .trim()
            != ""
    });
    run.interrupt();
    let finished = run.finish().failure(130);
    assert_eq!(left_of_tests(&prefix(&finished.stderr)), "");
}

#[test]
fn results_come_in_every_format_and_the_exit_code_says_whether_all_is_well() {
    let sandbox = Sandbox::new();
    sandbox
        .iechor("driver test iechor-container --only describe-is-sound")
        .success()
        .shows("TAP version 14\n")
        .shows("\nok 1 - describe-is-sound\n1..1\n")
        .shows("# granted within this run: container.privileged");
    sandbox
        .iechor("driver test iechor-container --only describe-is-sound --format junit")
        .success()
        .shows("<testsuite name=\"iechor-container\" tests=\"1\" failures=\"0\"");
    let listed = sandbox.iechor("driver test remote --list").success();
    assert!(
        listed.stdout.contains("\ndenied-transport.tcp\n"),
        "{}",
        listed.stdout
    );

    let listed = sandbox.iechor("driver test --list").success();
    for name in ["describe-is-sound", "denied-CAPABILITY", "cancel-in-boot"] {
        let listed = &listed.stdout;
        assert!(listed.contains(&format!("{name}\n    ")), "{listed}");
    }
    sandbox.iechor("driver test").failure(1).says("<DRIVER>");

    // It asks for an endpoint that it can make sense of.
    sandbox
        .iechor("driver test remote --endpoint nowhere")
        .failure(1)
        .shows("not ok 1 - driver-can-be-tested")
        .says("1 failed");
    sandbox
        .iechor("driver test iechor-container --only nothing-such")
        .failure(1)
        .says("there is no test \"nothing-such\"");
    let text = sandbox.write("text.wasm", "hello");
    sandbox
        .iechor(&format!("driver test {}", text.display()))
        .failure(1)
        .says("it is not WebAssembly");
    let absent = sandbox.path("absent.wasm");
    sandbox
        .iechor(&format!("driver test {}", absent.display()))
        .failure(1)
        .says("absent.wasm");
}
