//! Interrupted boots: all remaining objects are recorded.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::context::Context;
use crate::hostile::{IMAGE, component};
use crate::interrupt::{sleeper, wait_until_running};
use crate::proxy::SlowEngine;
use crate::support::{
    Invocation, Sandbox, container_of, docker, inspect, machine, volume_of, wait_until,
};

/// Longer than any undo takes.
const FOR_EVER: Duration = Duration::from_secs(100_000);

/// Creates a builder whose driver creates four containers and a volume, and then fails.
fn four_and_fail(sandbox: &Sandbox, name: &str, engine: &SlowEngine) -> Invocation {
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .words(&format!("--driver {}", component().display()))
        .words(&format!("--grant container.create={IMAGE}"))
        .words("--grant container.privileged=none --grant image.pull=none --driver-opt")
        .argument("behave=create four and fail")
        .variable("DOCKER_HOST", engine.endpoint())
}

/// Returns the state of a builder in `ls`.
#[track_caller]
fn listed(sandbox: &Sandbox, name: &str) -> Value {
    let listed = sandbox.listed().into_iter();
    let found = listed
        .into_iter()
        .find(|builder| builder["Name"] == name)
        .expect("listed");
    found["Incomplete"].clone()
}

/// Returns the names of the remaining objects in `ls`.
#[track_caller]
fn left(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let records = listed(sandbox, name);
    let records = records.as_array().expect("a list").iter();
    let remnants = records.flat_map(|record| record["Left"].as_array().expect("a list"));
    let mut names: Vec<_> = remnants
        .map(|remnant| {
            let text = |field: &str| remnant[field].as_str().expect("text").to_owned();
            format!("{} {}", text("Kind"), text("Name"))
        })
        .collect();
    names.sort();
    names
}

/// Creates a builder whose boot is killed, and returns the objects that were created until then.
fn killed(sandbox: &Sandbox, suffix: &str, endpoint: &str) -> String {
    let image = sleeper(sandbox);
    let name = sandbox.name(suffix);
    let create = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .variable("DOCKER_HOST", endpoint)
        .start();
    wait_until_running(&container_of(&name));
    // Use a signal that cannot be caught.
    drop(create);
    name
}

#[test]
fn slow_removals_leave_nothing() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), Duration::from_secs(12));
    four_and_fail(&sandbox, &sandbox.name("slow"), &engine)
        .failure(1)
        .says("changed my mind")
        .does_not_say("left behind");
    sandbox.assert_nothing_left();
}

#[test]
fn an_undo_that_does_not_end_keeps_the_builder_until_it_is_removed() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), FOR_EVER);
    let name = sandbox.name("stuck");
    let container = container_of(&name);
    let expected = [
        format!("container {container}"),
        format!("container {container}..2"),
        format!("container {container}..3"),
        format!("container {container}..4"),
        format!("volume {}", volume_of(&name)),
    ];
    let failed = four_and_fail(&sandbox, &name, &engine)
        .failure(5)
        .says("changed my mind")
        .says(&format!("builder {name} is incomplete"))
        .says(&format!("`iechor buildx rm {name}` removes what is left"));
    for object in &expected {
        assert!(failed.stderr.contains(object.as_str()), "{}", failed.stderr);
    }
    let entry = sandbox.store().join("instances").join(&name);
    assert!(entry.exists(), "the builder is forgotten");
    assert_eq!(left(&sandbox, &name), expected);
    // Without a request to the engine.
    engine.set_down(true);
    sandbox
        .buildx("ls --timeout 1s")
        .success()
        .shows("incomplete")
        .says(&format!("`iechor buildx rm {name}`"))
        .says(&format!("{container}..4"));
    engine.set_down(false);

    // A cancelled removal does not change the records.
    let removal = sandbox.buildx(&format!("rm {name}")).start();
    std::thread::sleep(Duration::from_secs(1));
    removal.interrupt();
    removal.finish().failure(130);
    assert_eq!(left(&sandbox, &name), expected);

    engine.set_delay(Duration::ZERO);
    sandbox
        .buildx(&format!("rm {name}"))
        .success()
        .says(&format!("container {container}..4 behind, removed now"))
        .says_line(&format!("{name} removed"));
    sandbox.assert_nothing_left();
    assert_eq!(records(&sandbox), 0);
}

/// Returns the number of recorded operations.
fn records(sandbox: &Sandbox) -> usize {
    let found = fs::read_dir(sandbox.store().join("unfinished"));
    found.map_or(0, Iterator::count)
}

#[test]
fn a_process_that_is_killed_leaves_what_rm_finds() {
    let sandbox = Sandbox::new();
    let name = killed(&sandbox, "killed", &machine().docker_host);
    assert_eq!(
        left(&sandbox, &name),
        [
            format!("container {}", container_of(&name)),
            format!("volume {}", volume_of(&name)),
        ]
    );
    sandbox
        .buildx(&format!("inspect {name}"))
        .success()
        .shows("incomplete")
        .says(&format!("`iechor buildx rm {name}`"));
    sandbox.buildx(&format!("rm {name}")).success();
    docker(&format!("rmi {}", sandbox.name("sleeper:1"))).success();
    sandbox.assert_nothing_left();
    assert_eq!(records(&sandbox), 0);
}

#[test]
fn the_next_command_continues_the_clean_up() {
    let sandbox = Sandbox::new();
    let name = killed(&sandbox, "again", &machine().docker_host);
    let first = inspect(&container_of(&name))["Id"].take();
    // The interrupted command was `create`; now the builder is created, with an image that works.
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .success()
        .says(&container_of(&name))
        .says("behind, removed now");
    assert_ne!(inspect(&container_of(&name))["Id"], first);
    assert_eq!(left(&sandbox, &name), [""; 0]);
    let context = Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success();
    assert_eq!(records(&sandbox), 0);
}

#[test]
fn a_build_continues_the_clean_up() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("build");
    let image = sleeper(&sandbox);
    let option = |image: &str| format!("--driver-opt image={image}");
    sandbox
        .buildx(&format!("create --name {name} {}", option(&image)))
        .success();
    let context = Context::on_base("RUN echo hello\n");
    let line = format!("build --builder {name} {}", context.word());
    let build = sandbox.buildx(&line).start();
    wait_until_running(&container_of(&name));
    drop(build);
    // The image works from now on, and the old container is not mistaken for the container of the node.
    docker(&format!("tag {} {image}", machine().buildkit_image)).success();
    sandbox.buildx(&line).success().says(&format!(
        "container {} behind, removed now",
        container_of(&name)
    ));
    assert_eq!(left(&sandbox, &name), [""; 0]);
}

#[test]
fn giving_up_twice_leaves_what_ls_shows() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), FOR_EVER);
    let image = sleeper(&sandbox);
    let name = sandbox.name("twice");
    let mut create = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .variable("DOCKER_HOST", engine.endpoint())
        .start();
    wait_until_running(&container_of(&name));
    create.interrupt();
    create.wait_until_it_says("Cancelling; press Ctrl-C again to exit immediately");
    create.interrupt();
    create
        .finish()
        .failure(130)
        .says("run `iechor buildx ls` to list what is left");
    assert_eq!(left(&sandbox, &name).len(), 2);
    engine.set_delay(Duration::ZERO);
    sandbox.buildx(&format!("rm {name}")).success();
    docker(&format!("rmi {image}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn what_another_process_waits_for_is_not_undone() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("shared");
    sandbox
        .buildx(&format!("create --name {name} --driver-opt image={image}"))
        .success();
    let context = Context::on_base("RUN echo hello\n");
    let line = format!("build --builder {name} {}", context.word());
    let first = sandbox.buildx(&line).start();
    wait_until_running(&container_of(&name));
    let mut second = sandbox.buildx(&line).start();
    second.wait_until_it_says("booting buildkit");
    // Objects of an operation in progress are not removed.
    sandbox
        .buildx(&format!("rm {name}"))
        .failure(1)
        .says("is being booted by another process");
    let id = inspect(&container_of(&name))["Id"].take();
    first.interrupt();
    first.finish().failure(130).says("another process uses it");
    assert_eq!(inspect(&container_of(&name))["Id"], id, "in use");
    second.interrupt();
    second.finish().failure(130);
    sandbox.buildx(&format!("rm {name}")).success();
    docker(&format!("rmi {image}")).success();
    sandbox.assert_nothing_left();
    assert_eq!(records(&sandbox), 0);
}

#[test]
fn a_node_that_could_not_be_added_is_not_there_and_what_is_left_of_it_is_known() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), FOR_EVER);
    let name = sandbox.name("added");
    sandbox
        .buildx(&format!("create --name {name}"))
        .words(&format!("--driver {}", component().display()))
        .words(&format!("--grant container.create={IMAGE}"))
        .words("--grant container.privileged=none --grant image.pull=none")
        .success();
    sandbox
        .buildx(&format!("create --name {name} --append --bootstrap"))
        .words("--driver-opt")
        .argument("behave=create four and fail")
        .argument(engine.endpoint())
        .failure(5)
        .says(&format!("builder {name} is incomplete"));
    let builder = sandbox.listed().remove(0);
    assert_eq!(builder["Nodes"].as_array().expect("a list").len(), 1);
    assert_eq!(left(&sandbox, &name).len(), 5);
    engine.set_delay(Duration::ZERO);
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
    assert_eq!(records(&sandbox), 0);
}

#[test]
fn a_builder_that_somebody_took_out_of_the_store_is_shown_and_removed() {
    let sandbox = Sandbox::new();
    let name = killed(&sandbox, "unlisted", &machine().docker_host);
    fs::remove_file(sandbox.store().join("instances").join(&name)).expect("there");
    sandbox
        .buildx("ls")
        .success()
        .shows(&name)
        .says(&container_of(&name));
    sandbox
        .buildx(&format!("rm {name}"))
        .success()
        .says_line(&format!("{name} removed"));
    docker(&format!("rmi {}", sandbox.name("sleeper:1"))).success();
    sandbox.assert_nothing_left();
}

#[test]
fn an_engine_that_is_down_keeps_the_builder_and_force_says_what_it_forgets() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), Duration::ZERO);
    let name = killed(&sandbox, "down", &engine.endpoint());
    engine.set_down(true);
    sandbox
        .buildx(&format!("rm {name}"))
        .failure(1)
        .says(&container_of(&name))
        .says(&engine.endpoint());
    assert_eq!(left(&sandbox, &name).len(), 2);
    sandbox
        .buildx(&format!("rm --force {name}"))
        .success()
        .says("not removed, but no longer listed")
        .says(&format!("container {}", container_of(&name)))
        .says(&format!("volume {}", volume_of(&name)))
        .says(&engine.endpoint());
    assert_eq!(sandbox.builders(), [""; 0]);
    assert_eq!(records(&sandbox), 0);
}

#[test]
fn an_incomplete_builder_is_removed_without_its_driver() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("driverless");
    let driver = sandbox.path("driver.wasm");
    fs::copy(crate::support::built_driver(), &driver).expect("copied");
    let create = sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .words(&format!("--driver {}", driver.display()))
        .words("--grant container.privileged --grant image.pull --grant container.network=*")
        .words("--grant container.cgroup-parent")
        .words(&format!("--driver-opt image={image}"))
        .start();
    wait_until_running(&container_of(&name));
    drop(create);
    fs::remove_file(&driver).expect("there");
    sandbox.buildx(&format!("rm {name}")).success();
    docker(&format!("rmi {image}")).success();
    sandbox.assert_nothing_left();
    wait_until("no record is left", || records(&sandbox) == 0);
}
