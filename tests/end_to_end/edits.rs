//! Changes of builders that exist: transactions, parallel edits, nodes that leave, repeated requests.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::Value;

use crate::certificates::{LOCAL_SERVER, authority, certificate};
use crate::support::{Invocation, Sandbox, container_of, inspect, machine, volume_of};

/// Returns another endpoint of the test engine.
fn endpoint(sandbox: &Sandbox, number: usize) -> String {
    let path = sandbox.path(&format!("{number}.sock"));
    let socket = machine().docker_host.strip_prefix("unix://");
    if !path.is_symlink() {
        symlink(socket.expect("a local engine"), &path).expect("linked");
    }
    format!("unix://{}", path.display())
}

/// Returns the files of the store with their contents, without locks and times of use.
fn stored(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    fn collect(directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                collect(&path, found);
            } else if !["/.lock", "/locks/", "/activity/"]
                .iter()
                .any(|other| name.contains(other))
            {
                found.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&sandbox.store(), &mut found);
    found
}

#[track_caller]
fn builder(sandbox: &Sandbox, name: &str) -> Value {
    let file = sandbox.store().join("instances").join(name);
    serde_json::from_slice(&fs::read(file).expect("saved")).expect("JSON")
}

fn nodes(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let builder = builder(sandbox, name);
    let nodes = builder["Nodes"].as_array().expect("a list").iter();
    nodes
        .map(|node| node["Name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Creates a builder with every kind of setting, and a second node. Returns its name.
fn two_nodes(sandbox: &Sandbox, suffix: &str) -> String {
    let name = sandbox.name(suffix);
    sandbox.write("own.toml", "debug = true\n");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver docker-container --platform linux/amd64,linux/arm64 \
             --driver-opt memory=1g --buildkitd-flags --debug --buildkitd-config own.toml"
        ))
        .success();
    append(sandbox, &name, &endpoint(sandbox, 1)).success();
    name
}

fn append(sandbox: &Sandbox, name: &str, endpoint: &str) -> Invocation {
    sandbox.buildx(&format!("create --append --name {name} {endpoint}"))
}

#[test]
fn parallel_appends_all_succeed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("parallel");
    sandbox.buildx(&format!("create --name {name}")).success();
    let running: Vec<_> = (0..20)
        .map(|number| append(&sandbox, &name, &endpoint(&sandbox, number)).start())
        .collect();
    for append in running {
        append.finish().success().prints(&format!("{name}\n"));
    }
    let builder = builder(&sandbox, &name);
    let nodes = builder["Nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), 21);
    for number in 0..20 {
        let endpoint = endpoint(&sandbox, number);
        let is_there = |node: &Value| node["Endpoint"] == endpoint.as_str();
        assert!(nodes.iter().any(is_there), "no {endpoint} in {builder}");
    }
}

#[test]
fn an_edit_that_fails_changes_nothing() {
    let sandbox = Sandbox::new();
    let name = two_nodes(&sandbox, "failed");
    sandbox.write("broken.toml", "debug = [");
    let before = stored(&sandbox);
    let there = endpoint(&sandbox, 2);
    for (line, words) in [
        (
            format!("--append --driver-opt nonsense=1 {there}"),
            "nonsense",
        ),
        (format!("--append --driver-opt memory=x {there}"), "memory"),
        (
            format!("--append --platform nonsense/1/2/3 {there}"),
            "nonsense",
        ),
        (
            "--append unix:///nonexistent.sock".to_owned(),
            "/nonexistent.sock",
        ),
        (
            format!("--append {}", machine().docker_host),
            "invalid duplicate endpoint",
        ),
        (
            format!("--append --buildkitd-config broken.toml {there}"),
            "broken.toml",
        ),
        (
            format!("--append --driver remote {there}"),
            "existing instance for",
        ),
        (
            format!("--append --bootstrap --driver-opt image=nowhere.test/none {there}"),
            "nowhere.test/none",
        ),
        (
            format!("--append --node {name}0 {there} --driver-opt cpu-shares=many"),
            "cpu-shares",
        ),
        (
            format!("--node {name}0 --platform linux/s390x --driver-opt nonsense=1"),
            "nonsense",
        ),
        (
            format!("--node {name}1 {}", machine().docker_host),
            "invalid duplicate endpoint",
        ),
        (
            format!("--node {name}0 unix:///nonexistent.sock"),
            "/nonexistent.sock",
        ),
        (
            format!("--node {name}7"),
            "not found, did you mean to append?",
        ),
        (format!("--leave --node {name}7"), "not found for"),
    ] {
        sandbox
            .buildx(&format!("create --name {name}"))
            .words(&line)
            // An engine that cannot be reached has an exit code of its own.
            .failure(if words.starts_with('/') { 4 } else { 1 })
            .says(words);
        assert!(stored(&sandbox) == before, "{line} changed the store");
    }
    assert!(sandbox.left_in_engine().is_empty());
}

#[test]
fn a_node_that_is_broken_blocks_no_other_edit() {
    let sandbox = Sandbox::new();
    let name = two_nodes(&sandbox, "broken");
    let file = sandbox.store().join("instances").join(&name);
    let text = fs::read_to_string(&file).expect("saved");
    let broken = text
        .replace(&endpoint(&sandbox, 1), "unix:///nonexistent.sock")
        .replace("\"DriverOpts\":null", "\"DriverOpts\":{\"nonsense\":\"1\"}");
    assert_ne!(text, broken);
    fs::write(&file, broken).expect("written");
    append(&sandbox, &name, &endpoint(&sandbox, 2)).success();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --driver-opt memory=2g --bootstrap"
        ))
        .success();
    let saved = builder(&sandbox, &name);
    assert_eq!(saved["Nodes"].as_array().map(Vec::len), Some(3));
    assert_eq!(saved["Nodes"][0]["DriverOpts"]["memory"], "2g");
    assert_eq!(saved["Nodes"][1]["Endpoint"], "unix:///nonexistent.sock");
    // The broken node itself can be mended, and can leave.
    sandbox
        .buildx(&format!("create --leave --name {name} --node {name}1"))
        .success()
        .says("something of it may be left")
        .says(&format!("container buildx_buildkit_{name}1"))
        .says(&format!("volume buildx_buildkit_{name}1_state"))
        .says("unix:///nonexistent.sock");
    assert_eq!(
        nodes(&sandbox, &name),
        [format!("{name}0"), format!("{name}2")]
    );
}

/// The engine accepts a connection and never answers.
#[test]
fn an_engine_that_hangs_blocks_no_other_process() {
    let sandbox = Sandbox::new();
    let name = two_nodes(&sandbox, "hangs");
    let silent = sandbox.path("silent.sock");
    let listener = UnixListener::bind(&silent).expect("a socket");
    let waits = append(&sandbox, &name, &format!("unix://{}", silent.display())).start();
    let connection = listener.accept().expect("it asks the engine");
    append(&sandbox, &name, &endpoint(&sandbox, 2)).success();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --driver-opt memory=2g"
        ))
        .success();
    sandbox.buildx(&format!("use {name}")).success();
    drop((connection, listener));
    waits.finish().failure(4).says("silent.sock");
    assert_eq!(nodes(&sandbox, &name).len(), 3);
    assert_eq!(
        builder(&sandbox, &name)["Nodes"][0]["DriverOpts"]["memory"],
        "2g"
    );
}

#[test]
fn a_request_again_changes_nothing_and_says_so() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("Again");
    let file = name.to_lowercase();
    sandbox.write("own.toml", "debug = true\n");
    let create = format!(
        "create --name {name} --driver-opt memory=1g --platform linux/amd64 \
         --buildkitd-flags --debug --buildkitd-config own.toml"
    );
    let append = format!("create --name {name} --append {}", endpoint(&sandbox, 1));
    let change = format!("create --name {name} --node {file}1 --driver-opt memory=2g");
    for line in [&create, &append] {
        sandbox.buildx(line).success().does_not_say("already");
    }
    let before = stored(&sandbox);
    for line in [&create, &append] {
        sandbox
            .buildx(line)
            .success()
            .prints(&format!("{name}\n"))
            .says("has these settings already: nothing was changed");
    }
    assert!(stored(&sandbox) == before);
    sandbox
        .buildx(&change)
        .success()
        .says("until builder is restarted");
    let before = stored(&sandbox);
    sandbox
        .buildx(&change)
        .success()
        .says("nothing was changed")
        .does_not_say("restarted");
    assert!(stored(&sandbox) == before);

    // Whatever differs is an edit, which needs the name of the node.
    sandbox.write("own.toml", "debug = false\n");
    for line in [
        &create,
        &create.replace("1g", "2g"),
        &create.replace("amd64", "arm64"),
    ] {
        sandbox
            .buildx(line)
            .failure(1)
            .says("but no append mode, specify the node name");
    }
    assert!(stored(&sandbox) == before);
}

#[test]
fn a_request_again_boots_and_selects_the_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("ready");
    let create = format!("create --name {name} --use --bootstrap");
    sandbox.buildx(&create).success();
    let first = inspect(&container_of(&name))["Id"].take();
    sandbox.buildx("use default").success();
    sandbox.buildx("stop").words(&name).success();
    sandbox
        .buildx(&create)
        .success()
        .says("nothing was changed")
        .says("starting container");
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    assert_eq!(inspect(&container_of(&name))["Id"], first);
    let current = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(current["Name"], name.as_str());
}

#[test]
fn a_node_leaves_with_its_objects_and_its_records() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("leave");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .success();
    append(&sandbox, &name, &endpoint(&sandbox, 1))
        .words("--bootstrap")
        .success();
    let references = sandbox.store().join("refs").join(&name);
    for node in [0, 1] {
        let directory = references.join(format!("{name}{node}"));
        fs::create_dir_all(&directory).expect("made");
        fs::write(directory.join("x"), "{}").expect("written");
    }
    sandbox
        .buildx(&format!("create --leave --name {name} --node {name}1"))
        .success()
        .prints("")
        .does_not_say("WARNING");
    assert_eq!(nodes(&sandbox, &name), [format!("{name}0")]);
    assert!(references.join(format!("{name}0/x")).exists());
    assert!(!references.join(format!("{name}1")).exists());
    let left = sandbox.left_in_engine();
    assert_eq!(
        left.into_iter().collect::<Vec<_>>(),
        [
            format!("container {}", container_of(&name)),
            format!("volume {}", volume_of(&name)),
        ]
    );
}

#[test]
fn a_node_that_cannot_leave_stays() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("last");
    sandbox.buildx(&format!("create --name {name}")).success();
    for (line, text) in [
        (
            "--leave".to_owned(),
            "leave requires instance name".to_owned(),
        ),
        (
            format!("--leave --name {name}"),
            "leave requires node name".to_owned(),
        ),
        (
            format!("--leave --name nothing --node {name}0"),
            "failed to find instance \"nothing\" for leave".to_owned(),
        ),
        (
            format!("--leave --name {name} --node {name}1"),
            format!("node \"{name}1\" not found for {name}"),
        ),
        (
            format!("--leave --name {name} --node {name}0"),
            "can not leave last node, do you want to rm instance instead?".to_owned(),
        ),
    ] {
        sandbox
            .buildx("create")
            .words(&line)
            .failure(1)
            .says_line(&format!("ERROR: {text}"));
    }
    assert_eq!(nodes(&sandbox, &name), [format!("{name}0")]);
}

/// Docker buildx fails with a panic.
#[test]
fn a_node_without_a_configuration_gets_one() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("late");
    sandbox.write("own.toml", "debug = true\n");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --buildkitd-config own.toml"
        ))
        .success();
    assert!(builder(&sandbox, &name)["Nodes"][0]["Files"]["buildkitd.toml"].is_string());
}

/// Docker buildx resets the flags.
#[test]
fn a_change_of_platforms_keeps_the_rest() {
    let sandbox = Sandbox::new();
    let name = two_nodes(&sandbox, "kept");
    let before = builder(&sandbox, &name)["Nodes"][0].take();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --platform linux/s390x"
        ))
        .success();
    let mut after = builder(&sandbox, &name)["Nodes"][0].take();
    assert_eq!(after["Platforms"][0]["architecture"], "s390x");
    after["Platforms"] = before["Platforms"].clone();
    assert_eq!(after, before);
}

#[test]
fn private_keys_of_registries_are_not_shown() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("keys");
    let directory = sandbox.path("");
    authority(&directory, "ca");
    certificate(&directory, "ca", "client", LOCAL_SERVER, 1);
    sandbox.write(
        "own.toml",
        "[registry.\"reg.test\"]\nca = [\"ca.pem\"]\n\
         [[registry.\"reg.test\".keypair]]\nkey = \"client.key\"\ncert = \"client.pem\"\n",
    );
    sandbox
        .buildx(&format!("create --name {name} --buildkitd-config own.toml"))
        .success();
    let key = fs::read_to_string(sandbox.path("client.key")).expect("made");
    let secret = key.lines().nth(1).expect("base64");
    for line in ["inspect", "inspect --format json", "ls --format json"] {
        let shown = sandbox.buildx(line).words(match line.starts_with("ls") {
            true => "",
            false => &name,
        });
        let shown = shown.success();
        assert!(!shown.stdout.contains(secret), "{}", shown.transcript());
        assert!(
            !shown.stdout.contains("LS0tLS1CRUdJTiBQUklW"),
            "{}",
            shown.transcript()
        );
    }
}

#[test]
fn a_default_that_was_removed_counts_as_none() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("dangling");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox.buildx(&format!("use --default {name}")).success();
    let file = sandbox.store().join("instances").join(&name);
    fs::remove_file(file).expect("removed");
    for current in [true, false] {
        if !current {
            fs::remove_file(sandbox.store().join("current")).expect("removed");
        }
        let before = stored(&sandbox);
        let shown = sandbox.buildx("inspect --format json").success().json();
        assert_eq!(shown["Name"], "default");
        sandbox.buildx("ls").success();
        assert!(stored(&sandbox) == before, "reading wrote something");
    }
}

#[test]
fn tls_settings_of_the_environment_are_in_no_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("tls");
    sandbox
        .buildx(&format!("create --name {name}"))
        .variable("DOCKER_HOST", "tcp://127.0.0.1:1")
        .variable("DOCKER_TLS_VERIFY", "1")
        .failure(1)
        .says_line(
            "ERROR: could not create a builder instance with TLS data loaded from environment. \
             Please use `docker context create <context-name>` to create a context for current \
             environment and then create a builder instance with context set to <context-name>",
        );
    sandbox.assert_nothing_left();
}
