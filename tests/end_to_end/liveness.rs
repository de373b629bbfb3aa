//! Builders that die, restart or freeze during a build, and clients that are stopped.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::context::Context;
use crate::daemon::Daemon;
use crate::support::{Finished, Running, Sandbox, container_of, docker, wait_until};

/// The time in which a build has to end after an incident takes five seconds; the rest is for a loaded
/// machine.
const SOON: Duration = Duration::from_secs(12);

/// A build that runs until something happens.
fn underway(sandbox: &Sandbox, flags: &str) -> (Context, Running) {
    let context = Context::on_base("RUN echo underway; sleep 600\n");
    let line = format!("build {flags} {}", context.word());
    let mut build = sandbox.buildx(&line).start();
    build.wait_until_it_says(" underway\n");
    (context, build)
}

/// Does something to a builder, and asserts that the build ends soon, with an error.
#[track_caller]
fn ends_soon(build: Running, incident: impl FnOnce()) -> Finished {
    incident();
    let start = Instant::now();
    let ended = build.finish().failure(1).says("ERROR: failed to build: ");
    assert!(
        start.elapsed() < SOON,
        "after {:?}: {}",
        start.elapsed(),
        ended.transcript()
    );
    ended
}

/// Asserts that no connection of a client is left in a container.
fn assert_no_client_left(container: &str) {
    wait_until("no client is connected", || {
        !docker(&format!("exec {container} pidof buildctl")).succeeded()
    });
}

#[test]
fn a_killed_container_is_told_with_its_exit_code_and_log() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("killed", ""));
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || {
        docker(&format!("kill {container}")).success();
    })
    .says(&format!("container {container} ended with exit code 137\n"))
    .says("last lines of its log:\n  ")
    .says("running server");
}

#[test]
fn a_daemon_that_dies_and_is_restarted_is_told() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("crashed", ""));
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || {
        let kill = format!("exec {container} sh -c");
        let words = kill
            .split_whitespace()
            .chain(["kill -9 $(pidof buildkitd)"]);
        crate::support::docker_at(&crate::support::machine().docker_host, words);
    })
    // Podman takes its time to start it again.
    .says(&format!("container {container} ended with exit code 137"));
    // The restarted one builds.
    let context = Context::on_base("RUN echo again\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
    assert_no_client_left(&container);
}

#[test]
fn a_restart_by_the_user_is_told() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("restarted", ""));
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || {
        docker(&format!("restart --time 1 {container}")).success();
    })
    // The engine may still be about to start it again.
    .says(&format!("container {container} ended with exit code "));
}

#[test]
fn a_paused_container_is_told_soon() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("paused", ""));
    for flags in ["", "--progress quiet", "-o out"] {
        let (_context, build) = underway_quietly(&sandbox, flags, &container);
        ends_soon(build, || {
            docker(&format!("pause {container}")).success();
        })
        .says(&format!("container {container} is paused"))
        .says(&format!("docker unpause {container}"));
        docker(&format!("unpause {container}")).success();
        assert_no_client_left(&container);
    }
    let context = Context::on_base("RUN echo again\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
}

/// A build whose step is found in the container, because its progress may be hidden.
fn underway_quietly(sandbox: &Sandbox, flags: &str, container: &str) -> (Context, Running) {
    let context = Context::on_base("RUN sleep 601\n");
    let line = format!("build {flags} {}", context.word());
    let build = sandbox.buildx(&line).start();
    wait_until("the step runs", || {
        let listed = docker(&format!("exec {container} ps -o args"));
        listed.stdout.contains("sleep 601")
    });
    (context, build)
}

#[test]
fn a_slow_daemon_is_not_given_up() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("slow", ""));
    let context = Context::on_base("RUN sleep 8\nRUN echo made it\n");
    let line = format!("build {}", context.word());
    let build = sandbox.buildx(&line).start();
    wait_until("the step runs", || {
        let listed = docker(&format!("exec {container} ps -o args"));
        listed.stdout.contains("sleep 8")
    });
    // BuildKit itself stands still for longer than a container may be paused.
    let script = "kill -STOP $(pidof buildkitd); sleep 6; kill -CONT $(pidof buildkitd)";
    let words = ["exec", &container, "sh", "-c", script];
    crate::support::docker_at(&crate::support::machine().docker_host, words).success();
    build.finish().success().says("made it");
}

#[test]
fn a_cut_connection_to_a_remote_daemon_ends_the_build() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox);
    let socket = sandbox.path("socket");
    daemon.on_socket(&socket);
    sandbox.remote("remote", &socket);
    let (_context, build) = underway(&sandbox, "");
    let container = daemon.container.clone();
    ends_soon(build, || drop(daemon)).says("lost the connection to BuildKit: ");
    // The step ends on the daemon as well.
    wait_until("the step has ended", || {
        let listed = docker(&format!("exec {container} ps -o args"));
        !listed.stdout.contains("sleep 600")
    });
}

#[test]
fn a_client_that_was_stopped_for_a_while_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.booted("stopped", "");
    let context = Context::on_base("RUN echo underway; sleep 70\nRUN echo made it\n");
    let line = format!("build {}", context.word());
    let mut build = sandbox.buildx(&line).start();
    build.wait_until_it_says(" underway\n");
    build.signal(Signal::STOP);
    // Longer than the client waits for a silent daemon.
    std::thread::sleep(Duration::from_secs(50));
    build.signal(Signal::CONT);
    build.finish().success().says("made it");
}
