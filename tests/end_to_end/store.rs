//! The files of the store, in the layout of docker buildx.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::context::Context;
use crate::support::{Sandbox, container_of, inspect, machine};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn saved(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("saved")).expect("JSON")
}

#[test]
fn a_builder_is_a_file_as_the_peer_writes_it() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("File");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver docker-container --driver-opt memory=1g \
             --platform linux/amd64,linux/arm/v7 --buildkitd-flags --debug --use"
        ))
        .success();
    let file = sandbox.store().join("instances").join(name.to_lowercase());
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&sandbox.store()), 0o700);
    assert_eq!(
        saved(&file),
        json!({
            "Name": name,
            "Driver": "docker-container",
            "Nodes": [{
                "Name": format!("{name}0").to_lowercase(),
                "Endpoint": machine().docker_host,
                "Platforms": [
                    {"architecture": "amd64", "os": "linux"},
                    {"architecture": "arm", "os": "linux", "variant": "v7"},
                ],
                "DriverOpts": {"memory": "1g"},
                "Flags": ["--debug", "--allow-insecure-entitlement=network.host"],
                "Files": null,
            }],
            "Dynamic": false,
        })
    );
    let current = saved(&sandbox.store().join("current"));
    assert_eq!(current["Key"], machine().docker_host.as_str());
    assert_eq!(current["Name"], name.as_str());
}

#[test]
fn without_buildx_config_the_store_is_in_the_home() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("home");
    sandbox
        .buildx(&format!("create --name {name}"))
        .without_variable("BUILDX_CONFIG")
        .success();
    assert!(
        sandbox
            .home()
            .join(".iechor/buildx/instances")
            .join(&name)
            .is_file()
    );
    assert!(!sandbox.store().exists());
}

/// As for services of systemd and jobs of cron.
#[test]
fn without_home_the_store_is_in_the_home_of_the_user_database() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("home");
    let user = sandbox.path("user");
    let passwd = sandbox.write(
        "passwd",
        format!("root:x:0:0:root:{}:/bin/sh\n", user.display()),
    );
    let script = format!(
        "exec unshare --mount sh -c 'mount --bind {} /etc/passwd; exec \"$0\" buildx create --name \
         {name}' \"$0\"",
        passwd.display()
    );
    sandbox
        .shell(&script)
        .without_variable("HOME")
        .without_variable("BUILDX_CONFIG")
        .success();
    assert!(user.join(".iechor/buildx/instances").join(&name).is_file());
}

#[test]
fn a_store_that_is_only_read_is_not_made() {
    let sandbox = Sandbox::new();
    sandbox.buildx("ls").success();
    assert!(!sandbox.store().exists());
}

#[test]
fn a_builder_of_the_peer_works_unchanged() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("peer");
    let instances = sandbox.store().join("instances");
    fs::create_dir_all(&instances).expect("made");
    let file = instances.join(&name);
    let text = format!(
        r#"{{"Name":"{name}","Driver":"docker-container","Nodes":[{{"Name":"{name}0","Endpoint":"{}","Platforms":null,"DriverOpts":{{"env.FROM":"peer"}},"Flags":["--allow-insecure-entitlement=network.host"],"Files":null}}],"Dynamic":false}}"#,
        machine().docker_host
    );
    fs::write(&file, &text).expect("written");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success()
        .says("docker-container driver");
    let environment = inspect(&container_of(&name))["Config"]["Env"].take();
    assert!(
        environment
            .as_array()
            .expect("a list")
            .contains(&json!("FROM=peer")),
        "{environment}"
    );
    assert_eq!(fs::read_to_string(&file).expect("kept"), text);
}

#[test]
fn a_build_is_noted_as_activity() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("activity", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
    let noted = fs::read_to_string(sandbox.store().join("activity").join(&name)).expect("noted");
    let shown = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(shown["LastActivity"], noted.trim());
}

#[test]
fn a_broken_file_is_listed_and_harms_no_other_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("whole");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    fs::write(sandbox.store().join("instances/broken"), "{").expect("written");
    let listed = sandbox
        .buildx("ls")
        .success()
        .says("Cannot load builder broken:");
    assert!(
        listed
            .stdout
            .lines()
            .any(|row| row.starts_with(&format!("{name}* "))),
        "{}",
        listed.stdout
    );
    sandbox.buildx("inspect").success();
    sandbox
        .buildx("inspect broken")
        .failure(1)
        .says("instances/broken");
}

/// Another process holds the lock of the store, and removes the builder.
#[test]
fn a_builder_that_is_removed_meanwhile_is_not_chosen() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("chosen");
    sandbox.buildx(&format!("create --name {name}")).success();
    let lock = fs::File::open(sandbox.store().join(".lock")).expect("there");
    lock.lock().expect("locked");
    let chooses = sandbox.buildx(&format!("use {name}")).start();
    // Long enough to read the store, which it must not do yet.
    std::thread::sleep(std::time::Duration::from_millis(500));
    fs::remove_file(sandbox.store().join("instances").join(&name)).expect("removed");
    lock.unlock().expect("unlocked");
    chooses
        .finish()
        .failure(3)
        .says(&format!("failed to find instance {name:?}"));
    assert!(!sandbox.store().join("current").exists());
}
