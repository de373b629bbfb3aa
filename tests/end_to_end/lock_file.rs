//! Lock files that were changed by other programs.

use std::fs;

use crate::components::{GRANTS, component, components, digest_of, installed, listed, variant};
use crate::support::Sandbox;

#[test]
fn a_broken_lock_file_is_named_and_spares_the_built_in_driver() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    fs::write(sandbox.store().join("drivers/drivers.lock"), "what?").expect("written");
    sandbox
        .iechor("driver ls --format {{.Name}}:{{.Status}}")
        .failure(1)
        .shows("iechor-container:ok")
        .says("drivers.lock");
    let name = sandbox.name("b");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox
        .buildx(&format!(
            "create --name {} --driver team",
            sandbox.name("c")
        ))
        .failure(1)
        .says("drivers.lock");
}

/// Replaces a text in the lock file.
#[track_caller]
fn rewrite_lock(sandbox: &Sandbox, from: &str, to: &str) {
    let path = sandbox.store().join("drivers/drivers.lock");
    let text = fs::read_to_string(&path).expect("there");
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).expect("written");
}

#[test]
fn a_lock_file_of_a_newer_program_is_left_alone() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    rewrite_lock(&sandbox, "version = 1\n", "version = 2\nother = 1\n");
    for command in ["driver ls", "driver verify", "driver rm team"] {
        sandbox
            .iechor(command)
            .failure(1)
            .says("was written by a newer iechor")
            .says("update iechor")
            .does_not_say("remove");
    }
}

#[test]
fn an_entry_that_cannot_be_used_is_a_broken_driver_beside_the_others() {
    let sandbox = Sandbox::new();
    let file = installed(&sandbox);
    sandbox.write("other.wasm", variant(2));
    sandbox
        .iechor(&format!(
            "driver install ./other.wasm --name other {GRANTS}"
        ))
        .success();
    let digest = digest_of(&file);
    rewrite_lock(
        &sandbox,
        &format!("digest = \"{digest}\"\ninstalled_at"),
        "digest = \"sha256:1\"\ninstalled_at",
    );
    let broken = listed(&sandbox, "team").expect("listed");
    assert_eq!(broken["Status"], "broken");
    let reason = broken["Err"].as_str().expect("a reason");
    assert!(reason.contains("\"sha256:1\" is not a digest"), "{reason}");
    assert_eq!(listed(&sandbox, "other").expect("listed")["Status"], "ok");
    let verified = sandbox.iechor("driver verify --format json").failure(1);
    let verified: Vec<serde_json::Value> = verified
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [other, team] = verified.as_slice() else {
        panic!("{verified:?}");
    };
    assert_eq!(other["Name"], "other");
    assert_eq!(other["ComponentErr"], serde_json::Value::Null);
    assert_eq!(other["Source"], "not checked");
    assert_eq!(team["Name"], "team");
    let reason = team["ComponentErr"].as_str().expect("a reason");
    assert!(reason.contains("is not a digest"), "{reason}");
    for command in ["driver verify", "driver verify team", "driver inspect team"] {
        let said = sandbox.iechor(command).failure(1).transcript();
        assert!(said.contains("is not a digest"), "{said}");
        assert!(said.contains("iechor driver rm team"), "{said}");
    }
    sandbox
        .iechor("driver update other")
        .success()
        .says("up to date");
    sandbox.iechor("driver rm team").success().prints("team\n");
    assert!(listed(&sandbox, "team").is_none());
    component(&sandbox);
}

#[test]
fn a_name_that_has_become_built_in_is_that_of_the_built_in_driver() {
    let sandbox = Sandbox::new();
    let file = installed(&sandbox);
    let digest = digest_of(&file);
    rewrite_lock(&sandbox, "name = \"team\"", "name = \"iechor-container\"");
    let listed = sandbox
        .iechor("driver ls --format json")
        .success()
        .says("hint: run `iechor driver rm iechor-container`")
        .says("--name");
    let listing = listed.stdout;
    let found: Vec<serde_json::Value> = listing
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|driver: &serde_json::Value| driver["Name"] == "iechor-container")
        .collect();
    let [built_in, shadowed] = found.as_slice() else {
        panic!("{listing}");
    };
    assert_eq!(built_in["Status"], "ok");
    assert_eq!(built_in["Source"], "built in");
    assert_ne!(built_in["Digest"], digest.as_str());
    assert_eq!(shadowed["Status"], "broken");
    assert_eq!(shadowed["Digest"], digest.as_str());
    let reason = shadowed["Err"].as_str().expect("a reason");
    assert!(reason.contains("is built in"), "{reason}");
    let verified = sandbox.iechor("driver verify").failure(1);
    assert!(
        verified.stdout.contains("is built in"),
        "{}",
        verified.stdout
    );
    // A builder with this driver name uses the built-in driver.
    let name = sandbox.name("b");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .success();
    sandbox
        .iechor("driver rm iechor-container")
        .success()
        .prints("iechor-container\n");
    assert!(components(&sandbox).is_empty());
}
