//! `inspect` in full, and what it says of builders that do not run.

use serde_json::Value;

use crate::interrupt::{sleeper, wait_until_running};
use crate::support::{Sandbox, container_of, docker};

#[test]
fn inspect_shows_everything_of_a_worker() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("full", "");
    let builder = sandbox.buildx("inspect --format json").success().json();
    let node = &builder["Nodes"][0];
    assert!(
        node["Labels"]["org.mobyproject.buildkit.worker.executor"].is_string(),
        "{node}"
    );
    let rule = &node["GCPolicy"][0];
    assert_eq!(rule["keepDuration"], 172_800_000_000_000_u64, "{rule}");
    assert_eq!(node["Devices"], serde_json::json!([]));
    assert_eq!(node["LastEnd"], Value::Null);
    sandbox
        .buildx("inspect")
        .success()
        .shows("\nLabels:\n org.mobyproject.buildkit.worker.")
        .shows("\n Keep Duration:  48h0m0s\n");
    let listed = sandbox.listed().remove(0);
    for field in ["Labels", "GCPolicy", "Devices"] {
        assert_eq!(listed["Nodes"][0][field], node[field], "{field}");
    }
    // As in docker buildx.
    let features = "\nFeatures:\n Automatically load images to the Docker Engine image store: false\n \
                    Cache export:                                               true\n";
    let shown = sandbox.buildx("inspect").success();
    assert!(!shown.stdout.contains("Features:"), "{}", shown.stdout);
    sandbox
        .buildx(&format!("--debug inspect {name}"))
        .success()
        .shows(features);
}

#[test]
fn private_keys_are_counted_and_not_shown() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("keys");
    crate::certificates::authority(&sandbox.path(""), "ca");
    let key = std::fs::read(sandbox.path("ca.key")).expect("a key");
    let config = sandbox.write(
        "buildkitd.toml",
        "[registry.\"r.example\"]\nca = [\"ca.pem\"]\n[[registry.\"r.example\".keypair]]\nkey = \
         \"ca.key\"\ncert = \"ca.pem\"\n",
    );
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .words(&format!("--buildkitd-config {}", config.display()))
        .success();
    let text = String::from_utf8_lossy(&key);
    let secret = text.lines().nth(1).expect("a line of the key");
    for line in ["inspect", "inspect --format json", "ls --format json"] {
        let shown = sandbox.buildx(line).success();
        assert!(!shown.transcript().contains(secret), "{line}");
        assert!(!shown.stdout.contains("PRIVATE KEY"), "{line}");
    }
    sandbox.buildx("inspect").success().shows(&format!(
        " > (a private key of {} bytes, not shown)\n",
        key.len()
    ));
}

#[test]
fn a_builder_that_is_being_booted_is_starting() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("starting");
    let boot = sandbox
        .buildx(&format!(
            "create --name {name} --use --bootstrap --driver-opt image={image}"
        ))
        .start();
    wait_until_running(&container_of(&name));
    let status = |line: &str| {
        let shown = sandbox.buildx(line).success();
        let shown: Value =
            serde_json::from_str(shown.stdout.lines().collect::<String>().as_str()).expect("JSON");
        shown["Nodes"][0]["Status"].clone()
    };
    assert_eq!(status(&format!("inspect {name} --format json")), "starting");
    assert_eq!(sandbox.listed()[0]["Nodes"][0]["Status"], "starting");
    boot.interrupt();
    boot.finish().failure(130);
    assert!(sandbox.builders().is_empty());
}

#[test]
fn a_builder_that_ended_says_how() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("ended", "--driver-opt restart-policy=no");
    let last = || {
        let builder = sandbox.buildx("inspect --format json").success().json();
        builder["Nodes"][0]["LastEnd"].clone()
    };
    sandbox.buildx("stop").success();
    sandbox
        .buildx("inspect")
        .success()
        .shows("Status:                stopped\n")
        .shows("because a client of the engine sent it SIGTERM\n");
    assert_eq!(last()["Signal"], 15);
    sandbox.buildx("inspect --bootstrap").success();
    assert_eq!(last(), Value::Null);
    docker(&format!("kill {}", container_of(&name))).success();
    sandbox
        .buildx("inspect")
        .success()
        .shows("ended with exit code 137 because a client of the engine sent it SIGKILL\n");
    assert_eq!(last()["ExitCode"], 137);
}
