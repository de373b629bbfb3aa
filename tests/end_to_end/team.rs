//! The example driver `team`, and builders that change their driver.

use std::fs;

use crate::components::{patched, team as component};
use crate::context::Context;
use crate::registry::Registry;
use crate::support::{Sandbox, container_of, docker, inspect, machine, wait_until};

/// The image of release v0.25, without the digest.
const RELEASE: &str = "moby/buildkit:v0.25.1";
const DIGEST: &str = "sha256:79cc6476ab1a3371c9afd8b44e7c55610057c43e18d9b39b68e2b0c2475cc1b6";

/// Returns the flags of `create` for a builder of the driver.
fn team(options: &[&str]) -> String {
    let mut flags = format!(
        "--driver {} --grant container.privileged --grant image.pull",
        component().display()
    );
    for option in options {
        flags += &format!(" --driver-opt {option}");
    }
    flags
}

fn is_running(builder: &str) -> bool {
    inspect(&container_of(builder))["State"]["Running"] == true
}

#[test]
fn an_idle_daemon_stops_and_the_next_build_boots_it_with_its_cache() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("idle");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .words(&team(&["idle-stop=3s"]))
        .success();
    let context = Context::on_base("RUN echo once > /made\n");
    let build = format!("build --builder {name} {}", context.word());
    sandbox.buildx(&build).success().does_not_say("CACHED");
    let id = inspect(&container_of(&name))["Id"].take();
    for _ in 0..2 {
        wait_until("the idle daemon stops", || !is_running(&name));
        // It exits cleanly, and the engine does not restart it.
        let container = inspect(&container_of(&name));
        assert_eq!(container["State"]["ExitCode"], 0, "{container}");
        assert_eq!(container["HostConfig"]["RestartPolicy"]["Name"], "no");
        let listed = sandbox.buildx("ls").success();
        assert!(listed.stdout.contains("stopped"), "{}", listed.transcript());

        let built = sandbox.buildx(&build).success();
        built
            .says("booting buildkit")
            .says_cached("RUN echo once > /made");
        assert_eq!(inspect(&container_of(&name))["Id"], id);
    }
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_daemon_that_builds_is_not_idle() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("busy");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .words(&team(&["idle-stop=3s"]))
        .success();
    // Several times the idle limit of the daemon.
    let context = Context::on_base("RUN for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success();
    wait_until("the idle daemon stops", || !is_running(&name));
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_builder_changes_drivers_and_keeps_its_cache() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("change");
    let context = Context::on_base("RUN echo once > /made\n");
    let build = format!("build --builder {name} {}", context.word());
    let create = |flags: &str| {
        sandbox
            .buildx(&format!("create --name {name} --bootstrap"))
            .words(flags)
            .success();
    };
    let forget = || {
        sandbox.buildx(&format!("rm --keep-state {name}")).success();
    };

    create("--driver iechor-container");
    sandbox.buildx(&build).success().does_not_say("CACHED");
    assert_eq!(inspect(&container_of(&name))["HostConfig"]["Memory"], 0);

    forget();
    create(&team(&["memory=1g", "processors=1"]));
    sandbox
        .buildx(&build)
        .success()
        .says_cached("RUN echo once > /made");
    let limits = inspect(&container_of(&name))["HostConfig"].take();
    assert_eq!(limits["Memory"], 1 << 30);
    assert_eq!(limits["CpuPeriod"], 100_000);
    assert_eq!(limits["CpuQuota"], 100_000);

    forget();
    create("--driver iechor-container");
    sandbox
        .buildx(&build)
        .success()
        .says_cached("RUN echo once > /made");
    assert_eq!(inspect(&container_of(&name))["HostConfig"]["Memory"], 0);
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

/// An image that is removed from the engine when this value is dropped, also if the test fails.
struct Pulled(String);

impl Drop for Pulled {
    fn drop(&mut self) {
        docker(&format!("rmi --force {}", self.0));
    }
}

/// Pushes this machine's BuildKit to a registry, under a name as long as that of the release, and
/// returns the name and the digest.
fn push_release(registry: &Registry) -> (String, String) {
    let room = RELEASE.len() - registry.address().len() - 1;
    let name = format!("{}/{}", registry.address(), "b".repeat(room));
    docker(&format!("tag {} {name}", machine().buildkit_image)).success();
    let pushed = docker(&format!("push {name}")).success();
    docker(&format!("rmi {name}")).success();
    let digest = pushed
        .stdout
        .split_whitespace()
        .find(|word| word.starts_with("sha256:"));
    (name, digest.expect("a digest").to_owned())
}

#[test]
fn a_builder_boots_from_an_image_that_is_approved_by_digest() {
    let sandbox = Sandbox::new();
    let registry = Registry::open();
    let (pushed, digest) = push_release(&registry);
    let release = format!("{pushed}@{digest}");
    // The driver, with the image in the registry instead of the release.
    let driver = fs::read(component()).expect("built");
    let driver = patched(&driver, &format!("{RELEASE}@{DIGEST}"), &release);
    let driver = sandbox.write("team.wasm", driver);
    let create = |name: &str, granted: &str| {
        let (name, driver) = (sandbox.name(name), driver.display());
        let ran = sandbox
            .buildx(&format!("create --name {name} --bootstrap"))
            .words(&format!("--driver {driver} --driver-opt release=v0.25"))
            .words(&format!(
                "--grant container.privileged={granted} --grant image.pull={granted}"
            ));
        (name, ran)
    };

    // The name without the digest was not approved.
    let (_, refused) = create("unpinned", &pushed);
    refused
        .failure(1)
        .says(&format!("it was not granted: \"{release}\""));
    sandbox.assert_nothing_left();

    let _pulled = Pulled(release.clone());
    let (name, created) = create("pinned", &release);
    created
        .success()
        .says(&format!("pulling image {release}"))
        .does_not_say("using local image");
    let container = inspect(&container_of(&name));
    assert_eq!(container["Config"]["Image"], release.as_str());
    assert_eq!(
        container["Image"],
        inspect(&machine().buildkit_image)["Id"],
        "{container}"
    );
    let context = Context::on_base("RUN echo built > /made\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .success();
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn more_than_the_team_allows_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("greedy");
    let flags = team(&["memory=64g", "processors=64", "image=my/own"]);
    sandbox
        .buildx(&format!("create --name {name}"))
        .words(&flags)
        .failure(1)
        .says("option memory: the team allows 8g at most")
        .says("option processors: the team allows 4 at most")
        .says("option image: there is no such option");
    sandbox.assert_nothing_left();
}
