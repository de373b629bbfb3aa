//! One store for this program and docker buildx: each one uses the builders of the other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::certificates::{LOCAL_SERVER, authority, certificate};
use crate::support::{Invocation, Running, Sandbox, inspect, machine};

/// Returns the path of docker buildx.
fn peer() -> &'static PathBuf {
    static PEER: OnceLock<PathBuf> = OnceLock::new();
    PEER.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machine/buildx");
        let found = Running::start(Command::new(script)).finish().success();
        found.stdout.trim().into()
    })
}

/// Runs docker buildx with the words of `line`, in the environment of the sandbox.
fn theirs(sandbox: &Sandbox, line: &str) -> Invocation {
    let script = format!("exec '{}' {line}", peer().display());
    sandbox.shell(&script)
}

fn second_endpoint(sandbox: &Sandbox) -> String {
    let path = sandbox.path("second.sock");
    let socket = machine().docker_host.strip_prefix("unix://");
    symlink(socket.expect("a local engine"), &path).expect("linked");
    format!("unix://{}", path.display())
}

fn settings(sandbox: &Sandbox) -> &'static str {
    let directory = sandbox.path("");
    authority(&directory, "ca");
    certificate(&directory, "ca", "client", LOCAL_SERVER, 1);
    sandbox.write(
        "own.toml",
        "debug = true\n[registry.\"reg.test:5000\"]\nca = [\"ca.pem\"]\n\
         [[registry.\"reg.test:5000\".keypair]]\nkey = \"client.key\"\ncert = \"client.pem\"\n",
    );
    "--platform linux/amd64,linux/arm64 --driver-opt memory=1g --driver-opt env.A=b \
     --buildkitd-flags --debug --buildkitd-config own.toml"
}

fn saved(sandbox: &Sandbox, name: &str) -> Value {
    let file = sandbox.store().join("instances").join(name);
    serde_json::from_slice(&fs::read(file).expect("saved")).expect("JSON")
}

#[test]
fn docker_buildx_uses_our_builders() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("ours");
    let settings = settings(&sandbox);
    sandbox
        .buildx(&format!(
            "create --name {name} --driver iechor-container --bootstrap"
        ))
        .words(settings)
        .success();
    sandbox
        .buildx(&format!(
            "create --name {name} --append {}",
            second_endpoint(&sandbox)
        ))
        .words("--platform linux/riscv64")
        .success();
    assert_eq!(saved(&sandbox, &name)["Driver"], "docker-container");

    let listed = theirs(&sandbox, "ls --format json").success();
    let listed = listed.stdout.lines().find(|line| line.contains(&name));
    let listed: Value = serde_json::from_str(listed.expect("listed")).expect("JSON");
    assert_eq!(listed["Driver"], "docker-container");
    assert_eq!(listed["Nodes"][0]["Status"], "running", "{listed}");
    assert_eq!(listed["Nodes"][1]["Status"], "inactive", "{listed}");
    let shown = theirs(&sandbox, &format!("inspect {name}")).success();
    for part in [
        "linux/amd64*",
        "linux/riscv64*",
        "memory=\"1g\"",
        "--debug",
        "File#buildkitd.toml:",
        "File#certs/reg.test_5000/ca.pem:",
    ] {
        assert!(shown.stdout.contains(part), "no {part}: {}", shown.stdout);
    }
    theirs(&sandbox, &format!("use {name}")).success();
    let current = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(current["Name"], name.as_str());
    assert_eq!(current["Driver"], "iechor-container");
    // They write the builder; the name that we know the driver by is lost, and nothing else.
    let node = format!("create --name {name} --node {name}1 --driver-opt memory=2g");
    theirs(&sandbox, &node).success();
    let shown = sandbox
        .buildx(&format!("inspect {name} --format json"))
        .success()
        .json();
    assert_eq!(shown["Driver"], "docker-container");
    assert_eq!(shown["Nodes"][1]["DriverOpts"]["memory"], "2g");
    theirs(&sandbox, &format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn we_use_the_builders_of_docker_buildx() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("theirs");
    let settings = settings(&sandbox);
    let create = format!("create --name {name} --driver docker-container --bootstrap {settings}");
    theirs(&sandbox, &create).success();
    theirs(
        &sandbox,
        &format!(
            "create --name {name} --append {} --platform linux/riscv64",
            second_endpoint(&sandbox)
        ),
    )
    .success();
    let before = saved(&sandbox, &name);

    let listed = sandbox.listed().remove(0);
    assert_eq!(listed["Name"], name.as_str());
    assert_eq!(listed["Nodes"][0]["Status"], "running", "{listed}");
    assert_eq!(listed["Nodes"][1]["Status"], "inactive", "{listed}");
    let shown = sandbox.buildx(&format!("inspect {name}")).success().stdout;
    for part in [
        "linux/amd64*",
        "linux/riscv64*",
        "memory=\"1g\"",
        "debug = true",
    ] {
        assert!(shown.contains(part), "no {part}: {shown}");
    }
    sandbox.buildx(&format!("use {name}")).success();
    let current = theirs(&sandbox, "inspect").success();
    assert!(current.stdout.contains(&name), "{}", current.stdout);
    assert_eq!(saved(&sandbox, &name), before, "reading changes nothing");

    // An edit changes what was asked for, and nothing else.
    let file = sandbox.store().join("instances").join(&name);
    let text = fs::read_to_string(&file).expect("saved");
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}1 --driver-opt memory=2g"
        ))
        .success();
    let edited = fs::read_to_string(&file).expect("saved");
    assert_eq!(
        edited,
        text.replacen(
            "\"DriverOpts\":null",
            "\"DriverOpts\":{\"memory\":\"2g\"}",
            1
        )
    );
    theirs(&sandbox, &format!("inspect {name}"))
        .success()
        .shows("memory=\"2g\"");
    // Their container, without our labels, is ours to stop and to remove.
    let container = format!("buildx_buildkit_{name}0");
    assert_eq!(inspect(&container)["State"]["Running"], true);
    sandbox
        .buildx(&format!("create --leave --name {name} --node {name}0"))
        .success();
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}
