//! Errors are told once, and blame the right object.

use crate::support::{Finished, Sandbox};

/// Asserts that no error repeats its cause.
#[track_caller]
fn assert_told_once(finished: &Finished) {
    for line in finished.stderr.lines() {
        let parts: Vec<_> = line.split(": ").collect();
        for pair in parts.windows(2) {
            assert_ne!(pair[0], pair[1], "{}", finished.transcript());
        }
        assert!(
            line.matches("(os error ").count() < 2,
            "{}",
            finished.transcript()
        );
    }
}

#[test]
fn causes_are_told_once() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    sandbox.write("broken.toml", "x = [");
    let name = sandbox.name("told");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    for line in [
        "buildx create --buildkitd-config none.toml",
        "buildx create --buildkitd-config broken.toml",
        "buildx create --buildkitd-config /dev/null/x",
        "buildx create --driver iechor-container tcp://127.0.0.1:1",
        "buildx create --driver iechor-container unix:///dev/null/x",
        "buildx create --driver iechor-container unix:///nonexistent",
        "buildx create --driver remote unix:///nonexistent --bootstrap",
        "buildx create --driver remote tcp://127.0.0.1:1 --bootstrap",
        "buildx create --driver ./none.wasm",
        "buildx create --driver ./file",
        "buildx build none",
        "buildx build . -f none",
        "buildx build . -o type=oci,dest=/dev/null/x",
        "buildx build . --metadata-file /dev/null/x",
        "buildx build . --secret id=x,src=none",
        "buildx build . --ssh default=none",
        "buildx build . --iidfile /dev/null/x",
        "driver install none.wasm",
        "driver install ./file",
        "driver install oci://127.0.0.1:1/x:1",
        "driver install https://127.0.0.1:1/x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "driver policy none.toml",
        "driver policy broken.toml",
        "driver new /dev/null/x",
        "driver test none.wasm",
    ] {
        let failed = sandbox.iechor(line).start().finish();
        assert!(!failed.succeeded(), "{line}");
        assert_told_once(&failed);
    }
    for (variable, value) in [
        ("BUILDX_CONFIG", "/dev/null/x"),
        ("DOCKER_HOST", "tcp://127.0.0.1:1"),
        ("DOCKER_HOST", "nonsense://"),
        ("DOCKER_CONTEXT", "none"),
    ] {
        for line in ["ls", "inspect", "create --use", "stop", "rm x", "du"] {
            let ran = sandbox.buildx(line).variable(variable, value).start();
            assert_told_once(&ran.finish());
        }
    }
}

#[test]
fn a_missing_container_of_a_network_is_blamed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("network");
    let missing = sandbox.name("missing");
    let failed = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt network=container:{missing}"
        ))
        .failure(1)
        .says(&missing);
    let error = failed
        .stderr
        .lines()
        .find(|line| line.starts_with("ERROR:"))
        .expect("an error");
    assert!(error.contains(&missing), "{error}");
    assert!(
        !error.contains("no such container: buildx_buildkit"),
        "{error}"
    );
    sandbox.assert_nothing_left();
}
