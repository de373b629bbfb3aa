//! Builders that die, restart or freeze during a build, and clients that are stopped.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cable::Cable;
use crate::context::Context;
use crate::daemon::Daemon;
use crate::remote::{MUTUAL, with_certificates};
use crate::support::{
    Finished, Running, Sandbox, container_of, docker, docker_at, machine, wait_until,
};

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
        // A connection through the engine is a `buildctl`, a direct one a second `buildkitd-listen`; the system cuts names.
        let list = ["exec", container, "sh", "-c", "cat /proc/[0-9]*/comm"];
        let programs =
            crate::support::docker_at(&crate::support::machine().docker_host, list).stdout;
        let count = |name: &str| programs.lines().filter(|program| *program == name).count();
        count("buildctl") == 0 && count("buildkitd-liste") <= 1
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
    .says(&match machine().is_podman {
        // It does not report who sent a signal.
        true => format!("container {container} ended with exit code 137\n"),
        false => format!(
            "container {container} ended with exit code 137 because a client of the engine sent it \
             SIGKILL\n"
        ),
    })
    .says("last lines of its log:\n  ")
    .says("running server");
}

#[test]
fn a_daemon_that_dies_and_is_restarted_is_told() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("crashed", ""));
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || {
        // This ends with the container.
        let script = "kill -9 $(pidof buildkitd)";
        docker_at(
            &machine().docker_host,
            ["exec", &container, "sh", "-c", script],
        );
    })
    .says(&match machine().is_podman {
        // It takes its time to start a container again.
        true => format!("container {container} ended with exit code 137\n"),
        false => format!("container {container} ended with exit code 137, and was restarted\n"),
    });
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

/// Runs a shell script in a container.
fn run_in(container: &str, script: &str) {
    let words = ["exec", container, "sh", "-c", script];
    docker_at(&machine().docker_host, words).success();
}

/// Sends a signal to the BuildKit in a container, but not to its steps. The signal comes from outside, because
/// the first process of a container can ignore those from inside.
#[track_caller]
fn signal_buildkit(container: &str, signal: Signal) {
    let listed = docker(&format!("top {container} -eo pid,args")).success();
    let mut signalled = 0;
    for line in listed.stdout.lines().skip(1) {
        let (pid, line) = line.trim().split_once(' ').expect("a process");
        if ["buildkitd", "dockerd"]
            .iter()
            .any(|name| line.contains(name))
        {
            let pid = pid.parse().ok().and_then(Pid::from_raw);
            kill_process(pid.expect("a process id"), signal).expect("it runs");
            signalled += 1;
        }
    }
    assert!(signalled > 0, "no BuildKit: {}", listed.stdout);
}

#[test]
fn a_frozen_daemon_is_told_soon() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("frozen", ""));
    for flags in ["", "--progress quiet", "-o out", "-o type=tar,dest=out.tar"] {
        let (_context, build) = underway_quietly(&sandbox, flags, &container);
        ends_soon(build, || signal_buildkit(&container, Signal::STOP))
            .says(&format!(
                "container {container} runs, but BuildKit in it did not answer for 4 seconds\n"
            ))
            .says("last lines of its log:\n  ")
            .says(&format!("docker restart {container}"));
        signal_buildkit(&container, Signal::CONT);
        assert_no_client_left(&container);
        wait_until("the step has ended", || {
            let listed = docker(&format!("exec {container} ps -o args"));
            !listed.stdout.contains("sleep 601")
        });
        assert!(!sandbox.path("out").exists());
        assert!(!sandbox.path("out.tar").exists());
    }
    let context = Context::on_base("RUN echo again\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
}

#[test]
fn a_daemon_that_freezes_during_a_transfer_is_told_soon() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("transfer", ""));
    let context = Context::on_base("COPY large /\n");
    let large = File::create(context.path().join("large")).expect("created");
    large.set_len(64 << 30).expect("sparse");
    let line = format!("build {}", context.word());
    let mut build = sandbox.buildx(&line).start();
    build.wait_until_it_says("transferring context: ");
    ends_soon(build, || signal_buildkit(&container, Signal::STOP))
        .says("BuildKit in it did not answer");
    signal_buildkit(&container, Signal::CONT);
    assert_no_client_left(&container);
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
    signal_buildkit(&container, Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    signal_buildkit(&container, Signal::CONT);
    build.finish().success().says("made it");
}

#[test]
fn a_busy_daemon_is_not_given_up() {
    let sandbox = Sandbox::new();
    sandbox.booted("busy", "");
    // The step takes the processors while the context fills the connection.
    let context = Context::on_base(
        "FROM base AS busy\n\
         RUN for n in $(seq 16); do (timeout 12 sh -c 'while :; do :; done' || true) & done; wait\n\
         FROM base\nCOPY large /\nCOPY --from=busy /bin/sh /busy\n",
    );
    let large = File::create(context.path().join("large")).expect("created");
    large.set_len(1 << 30).expect("sparse");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
}

#[test]
fn a_daemon_that_runs_out_of_memory_is_told() {
    let sandbox = Sandbox::new();
    let container = container_of(&sandbox.booted("oom", "--driver-opt memory=512m"));
    // The kernel chooses BuildKit, and not the step.
    run_in(
        &container,
        "for id in $(pidof buildkitd); do echo 1000 > /proc/$id/oom_score_adj; done",
    );
    let context = Context::on_base("RUN echo underway; sleep 2; tail /dev/zero\n");
    let mut build = sandbox.buildx(&format!("build {}", context.word())).start();
    build.wait_until_it_says(" underway\n");
    build
        .finish()
        .failure(1)
        .says(&format!(
            "container {container} ended with exit code 137 because it ran out of memory"
        ))
        .says("iechor buildx create --driver-opt memory=SIZE");
}

#[test]
fn a_step_that_runs_out_of_memory_is_told() {
    let sandbox = Sandbox::new();
    sandbox.booted("oomstep", "--driver-opt memory=512m");
    let context = Context::on_base("RUN tail /dev/zero\n");
    // BuildKit says so itself where the kernel tells it (cgroup v2).
    let failed = sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .says("process \"/bin/sh -c tail /dev/zero\" did not complete successfully: ");
    let reasons = ["cannot allocate memory", "exit code: 137"];
    let is_told = reasons.iter().any(|reason| failed.stderr.contains(reason));
    assert!(is_told, "{}", failed.transcript());
}

/// Starts a daemon, and a builder that connects to it with a Unix socket.
fn remote(sandbox: &Sandbox) -> Daemon {
    let daemon = Daemon::start(sandbox);
    let socket = sandbox.path("socket");
    daemon.on_socket(&socket);
    sandbox.remote("remote", &socket);
    daemon
}

/// Starts a daemon, and a builder that connects to it over a cable.
fn remote_at_cable() -> (Sandbox, Daemon, Cable) {
    let sandbox = with_certificates();
    let daemon = Daemon::start(&sandbox);
    let cable = Cable::to(&daemon.on_port(sandbox.path("x").parent().expect("above")));
    let name = sandbox.name("remote");
    let endpoint = &cable.endpoint;
    sandbox
        .buildx(&format!(
            "create --name {name} --driver remote --use {MUTUAL} {endpoint}"
        ))
        .success();
    (sandbox, daemon, cable)
}

#[test]
fn a_cut_connection_to_a_remote_daemon_ends_the_build() {
    let sandbox = Sandbox::new();
    let daemon = remote(&sandbox);
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
fn a_frozen_remote_daemon_is_told_soon() {
    let sandbox = Sandbox::new();
    let daemon = remote(&sandbox);
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || signal_buildkit(&daemon.container, Signal::STOP))
        .says("BuildKit did not answer for 4 seconds");
    signal_buildkit(&daemon.container, Signal::CONT);
    assert_no_client_left(&daemon.container);
}

#[test]
fn a_remote_daemon_that_vanishes_without_a_word_is_told_soon() {
    let (sandbox, daemon, cable) = remote_at_cable();
    let (_context, build) = underway(&sandbox, "");
    ends_soon(build, || cable.cut()).says("BuildKit did not answer for 4 seconds");
    cable.mend();
    assert_no_client_left(&daemon.container);
}

#[test]
fn a_short_interruption_of_the_network_is_survived() {
    let (sandbox, _daemon, cable) = remote_at_cable();
    let context = Context::on_base("RUN echo underway; sleep 6\nRUN echo made it\n");
    let mut build = sandbox.buildx(&format!("build {}", context.word())).start();
    build.wait_until_it_says(" underway\n");
    cable.cut();
    std::thread::sleep(Duration::from_secs(2));
    cable.mend();
    build.finish().success().says("made it");
}

#[test]
fn a_client_that_was_stopped_for_a_while_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.booted("stopped", "");
    let context = Context::on_base(
        "RUN echo underway; sleep 70\n\
         RUN --mount=type=secret,id=last echo made $(wc -c < /run/secrets/last)\n",
    );
    let line = format!("build --secret id=last,env=LAST -o out {}", context.word());
    let build = sandbox.buildx(&line).variable("LAST", "12345");
    let mut build = build.start();
    build.wait_until_it_says(" underway\n");
    build.signal(Signal::STOP);
    // Longer than the client waits for a silent daemon, and longer than BuildKit waits for the client: it
    // ends the session, which the last step and the result need.
    std::thread::sleep(Duration::from_secs(50));
    build.signal(Signal::CONT);
    build.finish().success().says("made 5");
    assert!(sandbox.path("out/bin").exists());
}
