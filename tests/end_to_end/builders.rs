//! `create`, `ls`, `inspect`, `use`, `stop`.

use std::fs;

use serde_json::Value;

use crate::context::Context;
use crate::support::{Sandbox, cells, container_of, docker, inspect, machine, volume_of};

#[test]
fn create_prints_the_name_and_boots_nothing() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("plain");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .success()
        .prints(&format!("{name}\n"));
    assert_eq!(sandbox.builders(), [name]);
    assert!(sandbox.left_in_engine().is_empty());
}

#[test]
fn create_makes_a_name_up() {
    let sandbox = Sandbox::new();
    let created = sandbox.buildx("create --driver iechor-container").success();
    let name = created.stdout.trim_end();
    let (left, right) = name.split_once('_').expect("two words");
    for word in [left, right] {
        assert!(
            !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()),
            "{name}"
        );
    }
    assert_eq!(sandbox.builders(), [name]);
}

#[test]
fn create_refuses_a_name_that_is_taken() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("twice");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .success();
    let before = fs::read(sandbox.store().join("instances").join(&name)).expect("saved");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver iechor-container --driver-opt memory=1g"
        ))
        .failure(1)
        .says_line(&format!(
            "ERROR: existing instance for {name:?} but no append mode, specify the node name to \
             make changes for existing instances"
        ))
        .says(&format!("hint: add --node {name}0 "));
    assert_eq!(
        fs::read(sandbox.store().join("instances").join(&name)).expect("saved"),
        before
    );
}

#[test]
fn create_changes_a_node() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("edited");
    sandbox
        .buildx(&format!("create --name {name} --driver-opt memory=1g"))
        .success();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --driver-opt memory=2g"
        ))
        .success()
        .prints(&format!("{name}\n"));
    let builder = sandbox
        .buildx(&format!("inspect {name} --format json"))
        .success()
        .json();
    assert_eq!(
        builder["Nodes"].as_array().map(Vec::len),
        Some(1),
        "{builder}"
    );
    assert_eq!(builder["Nodes"][0]["DriverOpts"]["memory"], "2g");
}

#[test]
fn create_refuses_another_driver_for_a_node() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("edited");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .success();
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --driver docker-container"
        ))
        .failure(1)
        .says(r#"has mismatched driver "iechor-container""#);
}

#[test]
fn create_takes_an_endpoint() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("endpoint");
    sandbox
        .buildx(&format!("create --name {name} {}", machine().docker_host))
        .variable("DOCKER_HOST", "unix:///nonexistent.sock")
        .success();
    let builder = sandbox
        .buildx(&format!("inspect {name} --format json"))
        .success()
        .json();
    assert_eq!(
        builder["Nodes"][0]["Endpoint"],
        machine().docker_host.as_str()
    );
}

#[test]
fn the_peers_driver_name_means_the_same_driver() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("peer");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver docker-container --bootstrap"
        ))
        .success();
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success()
        .says("No output specified with docker-container driver.")
        .says_line(&format!(
            "#0 building with {name:?} instance using docker-container driver"
        ));
}

#[test]
fn bootstrap_shows_what_it_does() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("boot");
    let image = &machine().buildkit_image;
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .success()
        .prints(&format!("{name}\n"))
        .says_line("#1 [internal] booting buildkit")
        .says(&format!("#1 pulling image {image}"))
        .says(&format!("#1 creating container buildx_buildkit_{name}0"))
        .says("#1 DONE ");
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    docker(&format!("volume inspect {}", volume_of(&name))).success();
    sandbox
        .iechor("volume ls")
        .success()
        .stdout
        .lines()
        .find(|line| cells(line) == ["local", &volume_of(&name)])
        .expect("the state volume is listed");
}

#[test]
fn inspect_bootstrap_boots_once() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("boot");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox
        .buildx(&format!("inspect {name} --bootstrap"))
        .success()
        .says_line("#1 [internal] booting buildkit");
    let first = inspect(&container_of(&name))["Id"].take();
    sandbox
        .buildx(&format!("inspect {name} --bootstrap"))
        .success()
        .does_not_say("booting");
    assert_eq!(inspect(&container_of(&name))["Id"], first);
}

#[test]
fn ls_shows_builders_and_their_nodes() {
    let sandbox = Sandbox::new();
    let running = sandbox.booted("a-running", "");
    let idle = sandbox.name("b-idle");
    sandbox
        .buildx(&format!("create --name {idle} --driver docker-container"))
        .success();

    let listed = sandbox.buildx("ls").success();
    let rows: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(
        cells(rows[0]),
        [
            "NAME/NODE",
            "DRIVER/ENDPOINT",
            "STATUS",
            "BUILDKIT",
            "PLATFORMS"
        ]
    );
    let endpoint = format!("\\_ {}", machine().docker_host);
    assert_eq!(
        cells(rows[1]),
        [format!("{running}*").as_str(), "iechor-container"]
    );
    let node = cells(rows[2]);
    assert_eq!(
        node[..3],
        [format!("\\_ {running}0").as_str(), &endpoint, "running"]
    );
    assert!(
        node[3].starts_with('v') && node[3].contains('.'),
        "version: {}",
        node[3]
    );
    assert!(
        node[4].contains("linux/amd64") || node[4].contains("linux/arm64"),
        "{}",
        node[4]
    );
    assert_eq!(cells(rows[3]), [idle.as_str(), "docker-container"]);
    assert_eq!(
        cells(rows[4]),
        [format!("\\_ {idle}0").as_str(), &endpoint, "inactive"]
    );
    // And the builder of the context.
    assert_eq!(cells(rows[5])[0], "default");
    assert_eq!(rows.len(), 7);
    // The columns are aligned.
    let column = rows[0].find("STATUS").expect("a column");
    assert!(rows[2][column..].starts_with("running") && rows[4][column..].starts_with("inactive"));
}

#[test]
fn ls_shows_what_became_of_a_container() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("fate", "");
    let status = || {
        let listed = sandbox.listed().remove(0);
        listed["Nodes"][0]["Status"]
            .as_str()
            .expect("a status")
            .to_owned()
    };
    assert_eq!(status(), "running");
    sandbox.buildx(&format!("stop {name}")).success().prints("");
    assert_eq!(status(), "stopped");
    docker(&format!("rm {}", container_of(&name))).success();
    assert_eq!(status(), "inactive");
}

#[test]
fn ls_writes_json() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("json", "--driver-opt env.A=b");
    let builder = sandbox.listed().remove(0);
    assert_eq!(builder["Name"], name.as_str());
    assert_eq!(builder["Driver"], "iechor-container");
    assert_eq!(builder["Current"], true);
    let node = &builder["Nodes"][0];
    assert_eq!(node["Name"], format!("{name}0"));
    assert_eq!(node["Status"], "running");
    assert_eq!(node["DriverOpts"]["env.A"], "b");
    assert!(
        node["Version"]
            .as_str()
            .is_some_and(|version| version.starts_with('v')),
        "{node}"
    );
    assert_eq!(node["IDs"].as_array().map(Vec::len), Some(1), "{node}");
    assert!(
        node["Platforms"]
            .as_array()
            .is_some_and(|list| !list.is_empty()),
        "{node}"
    );
}

#[test]
fn ls_asks_a_daemon_once_in_each_run_of_it() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("once", "--driver-opt transport=exec");
    let container = container_of(&name);
    let node = || {
        let listed = sandbox.listed().remove(0);
        listed["Nodes"][0].clone()
    };
    let asked = node();
    assert_eq!(asked["Status"], "running");

    // It cannot be queried any more.
    docker(&format!("exec {container} rm /usr/local/bin/buildctl")).success();
    let remembered = node();
    for field in ["Status", "Version", "Platforms"] {
        assert_eq!(remembered[field], asked[field], "{field}");
    }
    let inspected = sandbox.buildx(&format!("inspect {name}")).start().finish();
    assert!(
        inspected.transcript().contains("buildctl"),
        "inspect asks the daemon itself\n{}",
        inspected.transcript()
    );

    docker(&format!("restart {container}")).success();
    let after = node();
    assert_eq!(after["Version"], serde_json::Value::Null, "{after}");
    assert!(after["Err"].is_string(), "{after}");
}

#[test]
fn ls_lists_a_builder_whose_engine_is_gone() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("gone");
    sandbox.buildx(&format!("create --name {name}")).success();
    let file = sandbox.store().join("instances").join(&name);
    let saved = fs::read_to_string(&file).expect("saved");
    fs::write(
        &file,
        saved.replace(&machine().docker_host, "unix:///nonexistent.sock"),
    )
    .expect("written");
    let listed = sandbox
        .buildx("ls")
        .success()
        .says("cannot reach the engine at unix:///nonexistent.sock");
    let row = listed
        .stdout
        .lines()
        .find(|row| row.contains(&format!("\\_ {name}0")))
        .expect("the node");
    assert_eq!(cells(row)[2], "error");
}

#[test]
fn declared_platforms_are_starred() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("platforms");
    sandbox
        .buildx(&format!("create --name {name} --platform linux/riscv64"))
        .success();
    let listed = sandbox.buildx("ls").success();
    assert!(
        listed.stdout.contains("linux/riscv64*"),
        "{}",
        listed.stdout
    );
}

#[test]
fn inspect_shows_a_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("shown", "--driver-opt memory=1g,env.A=b");
    let shown = sandbox.buildx("inspect").success();
    let value = |key: &str| {
        let line = shown
            .stdout
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key} in {}", shown.stdout))
            .trim()
            .to_owned()
    };
    assert_eq!(
        shown.stdout.lines().next(),
        Some(format!("Name:          {name}").as_str())
    );
    assert_eq!(value("Driver:"), "iechor-container");
    assert_eq!(value("Name:"), format!("{name}0"));
    assert_eq!(value("Endpoint:"), machine().docker_host);
    assert_eq!(value("Driver Options:"), r#"env.A="b" memory="1g""#);
    assert_eq!(value("Status:"), "running");
    assert_eq!(
        value("BuildKit daemon flags:"),
        "--allow-insecure-entitlement=network.host"
    );
    assert!(value("BuildKit version:").starts_with('v'));
    assert!(value("Platforms:").contains("linux/"));
    assert!(value("GC Policy rule#0:").is_empty());
}

#[test]
fn use_chooses_the_current_builder() {
    let sandbox = Sandbox::new();
    let [first, second] = ["first", "second"].map(|suffix| {
        let name = sandbox.name(suffix);
        sandbox.buildx(&format!("create --name {name}")).success();
        name
    });
    for name in [&first, &second] {
        sandbox.buildx(&format!("use {name}")).success();
        assert_eq!(
            sandbox.buildx("inspect --format json").success().json()["Name"],
            name.as_str()
        );
    }
    sandbox
        .buildx("use nothing-of-that-name")
        .failure(3)
        .says("nothing-of-that-name");
}

#[test]
fn the_environment_and_the_flag_choose_a_builder() {
    let sandbox = Sandbox::new();
    let [used, by_variable, by_flag] = ["used", "variable", "flag"].map(|suffix| {
        let name = sandbox.name(suffix);
        sandbox.buildx(&format!("create --name {name}")).success();
        name
    });
    sandbox.buildx(&format!("use {used}")).success();
    let inspected = sandbox
        .buildx("inspect --format json")
        .variable("BUILDX_BUILDER", &by_variable)
        .success();
    assert_eq!(inspected.json()["Name"], by_variable.as_str());
    let inspected = sandbox
        .buildx(&format!("--builder {by_flag} inspect --format json"))
        .variable("BUILDX_BUILDER", &by_variable)
        .success();
    assert_eq!(inspected.json()["Name"], by_flag.as_str());
}

#[test]
fn a_stopped_builder_starts_again_by_a_build() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("stopped", "");
    let first = inspect(&container_of(&name))["Id"].take();
    sandbox.buildx("stop").success();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success()
        .says("[internal] booting buildkit")
        .says(&format!("starting container {}", container_of(&name)));
    assert_eq!(
        inspect(&container_of(&name))["Id"],
        first,
        "the same container"
    );
}

#[test]
fn version_is_one_line() {
    let sandbox = Sandbox::new();
    let version = env!("CARGO_PKG_VERSION");
    sandbox
        .iechor("version")
        .success()
        .prints(&format!("iechor v{version}\n"));
    sandbox.buildx("version").success().prints(&format!(
        "github.com/docker/buildx v0.28.0 iechor-{version}\n"
    ));
    let json: Value = sandbox.iechor("version --format json").success().json();
    assert_eq!(json["Version"], version);
}

#[test]
fn the_default_configuration_is_for_new_nodes_only() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("configured");
    let default = sandbox.store().join("buildkitd.default.toml");
    std::fs::create_dir_all(sandbox.store()).expect("made");
    std::fs::write(&default, "# the default\n").expect("written");
    let own = sandbox.write("own.toml", "debug = true\n");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .words(&format!("--buildkitd-config {}", own.display()))
        .success();
    let shown = || sandbox.buildx(&format!("inspect {name}")).success().stdout;
    assert!(shown().contains("debug = true"));
    // A change of another setting.
    sandbox
        .buildx(&format!(
            "create --name {name} --node {name}0 --platform linux/arm64"
        ))
        .success();
    assert!(shown().contains("debug = true"), "{}", shown());
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .success();
    assert!(shown().contains("# the default"), "{}", shown());
}
