//! `rm`.

use crate::context::Context;
use crate::support::{Sandbox, container_of, docker, inspect, volume_of};

#[test]
fn rm_removes_container_volume_and_file() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("gone", "");
    sandbox
        .buildx(&format!("rm {name}"))
        .success()
        .prints("")
        .says_line(&format!("{name} removed"));
    sandbox.assert_nothing_left();
}

#[test]
fn rm_without_a_name_removes_the_current_builder() {
    let sandbox = Sandbox::new();
    let other = sandbox.name("other");
    sandbox.buildx(&format!("create --name {other}")).success();
    let current = sandbox.booted("current", "");
    sandbox
        .buildx("rm")
        .success()
        .says_line(&format!("{current} removed"));
    assert_eq!(sandbox.builders(), [other]);
    assert!(sandbox.left_in_engine().is_empty());
}

#[test]
fn rm_of_an_unknown_builder_names_it() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx("rm nothing-of-that-name")
        .failure(1)
        .says("nothing-of-that-name");
}

#[test]
fn rm_of_several_removes_what_exists() {
    let sandbox = Sandbox::new();
    let [first, second] = ["first", "second"].map(|suffix| {
        let name = sandbox.name(suffix);
        sandbox.buildx(&format!("create --name {name}")).success();
        name
    });
    sandbox
        .buildx(&format!("rm {first} nothing-of-that-name {second}"))
        .failure(1)
        .says_line(&format!("{first} removed"))
        .says_line(&format!("{second} removed"))
        .says_line(
            "failed to remove nothing-of-that-name: no builder \"nothing-of-that-name\" found",
        )
        .says_line("ERROR: failed to remove one or more builders");
    sandbox.assert_nothing_left();
}

#[test]
fn results_for_programs_are_on_standard_output() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("json", "");
    let lines = |line: String| -> Vec<serde_json::Value> {
        let ran = sandbox.buildx(&line).start().finish();
        let lines = ran.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let stopped = lines(format!("stop {name} none --format json"));
    assert_eq!(
        stopped,
        [
            serde_json::json!({ "Name": name, "Stopped": true, "Err": null }),
            serde_json::json!({
                "Name": "none", "Stopped": false, "Err": "no builder \"none\" found",
            }),
        ]
    );
    let removed = lines(format!("rm {name} none --format json"));
    assert_eq!(
        removed,
        [
            serde_json::json!({ "Name": name, "Removed": true, "Left": [], "Err": null }),
            serde_json::json!({
                "Name": "none", "Removed": false, "Left": [], "Err": "no builder \"none\" found",
            }),
        ]
    );
}

#[test]
fn stop_stops_several() {
    let sandbox = Sandbox::new();
    let [first, second] = ["first", "second"].map(|suffix| sandbox.booted(suffix, ""));
    sandbox
        .buildx(&format!("stop {first} {second} none"))
        .failure(1)
        .prints("")
        .says_line("failed to stop none: no builder \"none\" found")
        .says_line("ERROR: failed to stop one or more builders");
    for name in [&first, &second] {
        assert_eq!(inspect(&container_of(name))["State"]["Running"], false);
    }
}

#[test]
fn rm_keep_state_leaves_the_cache_for_the_next_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("warm", "");
    let context = Context::on_base("RUN echo once > /made\n");
    let build = format!("build --builder {name} {}", context.word());
    sandbox.buildx(&build).success().does_not_say("CACHED");

    sandbox.buildx(&format!("rm --keep-state {name}")).success();
    assert!(sandbox.builders().is_empty());
    assert_eq!(
        sandbox.left_in_engine().into_iter().collect::<Vec<_>>(),
        [format!("volume {}", volume_of(&name))]
    );

    assert_eq!(sandbox.booted("warm", ""), name);
    sandbox
        .buildx(&build)
        .success()
        .says_cached("RUN echo once > /made");
}

#[test]
fn rm_keep_daemon_leaves_the_container_running() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("daemon", "");
    sandbox
        .buildx(&format!("rm --keep-daemon {name}"))
        .success();
    assert!(sandbox.builders().is_empty());
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    // A new builder with the same name takes it over.
    let first = inspect(&container_of(&name))["Id"].take();
    sandbox.booted("daemon", "");
    assert_eq!(inspect(&container_of(&name))["Id"], first);
    sandbox.buildx("rm").success();
    sandbox.assert_nothing_left();
}

#[test]
fn rm_removes_the_volume_of_a_container_that_is_gone() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("half", "");
    docker(&format!("rm --force {}", container_of(&name))).success();
    docker(&format!("volume inspect {}", volume_of(&name))).success();
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn rm_all_inactive_leaves_what_runs() {
    let sandbox = Sandbox::new();
    let running = sandbox.booted("running", "");
    let stopped = sandbox.booted("stopped", "");
    sandbox.buildx(&format!("stop {stopped}")).success();
    let never = sandbox.name("never");
    sandbox.buildx(&format!("create --name {never}")).success();

    sandbox
        .buildx("rm --all-inactive")
        .failure(1)
        .says("there is no terminal; add --force");
    assert_eq!(sandbox.builders().len(), 3);

    sandbox
        .buildx("rm --all-inactive --force")
        .success()
        .says_line(&format!("{stopped} removed"))
        .says_line(&format!("{never} removed"));
    assert_eq!(sandbox.builders(), std::slice::from_ref(&running));
    assert_eq!(inspect(&container_of(&running))["State"]["Running"], true);
    docker(&format!("volume inspect {}", volume_of(&stopped))).failure(1);
}

#[test]
fn rm_keeps_a_builder_whose_engine_does_not_answer() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("unreachable");
    sandbox.buildx(&format!("create --name {name}")).success();
    let file = sandbox.store().join("instances").join(&name);
    let saved = std::fs::read_to_string(&file).expect("saved");
    let host = &crate::support::machine().docker_host;
    std::fs::write(&file, saved.replace(host, "unix:///nonexistent.sock")).expect("written");
    sandbox
        .buildx(&format!("rm {name}"))
        .failure(1)
        .says("unix:///nonexistent.sock")
        .says("--force forgets it");
    assert_eq!(sandbox.builders(), std::slice::from_ref(&name));
    sandbox.buildx(&format!("rm --force {name}")).success();
    sandbox.assert_nothing_left();
}
