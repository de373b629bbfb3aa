//! Boots that fail: the cause is shown, and a permanent one ends the boot at once.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::proxy::SlowEngine;
use crate::support::{Finished, Sandbox, docker, machine};

/// Less than the time that a boot waits for a BuildKit that may still start.
const SOON: Duration = Duration::from_secs(45);

/// An image in the engine whose programs are those of busybox, removed at the end of a test.
struct Image(String);

impl Image {
    /// Creates an image that runs a script as BuildKit. The script gets BuildKit's arguments.
    fn running(sandbox: &Sandbox, script: &str) -> Self {
        Self::of(sandbox, script, &machine().base.join("amd64/busybox.tar"))
    }

    /// Creates such an image with a program that connects to BuildKit in vain. Without it, a boot ends at once.
    fn with_buildctl(sandbox: &Sandbox, script: &str) -> Self {
        let tar = sandbox.path("image.tar");
        fs::copy(machine().base.join("amd64/busybox.tar"), &tar).expect("copied");
        fs::create_dir_all(sandbox.path("bin")).expect("created");
        let link = sandbox.path("bin/buildctl");
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink("false", &link).expect("linked");
        }
        let mut append = std::process::Command::new("tar");
        let append = append.arg("-rf").arg(&tar).arg("-C").arg(sandbox.path("."));
        assert!(
            append
                .arg("./bin/buildctl")
                .status()
                .expect("run")
                .success()
        );
        Self::of(sandbox, script, &tar)
    }

    fn of(sandbox: &Sandbox, script: &str, tar: &Path) -> Self {
        let name = format!("{}:1", sandbox.name("image"));
        let entry = serde_json::json!(["/bin/sh", "-c", script, "buildkitd"]);
        crate::support::docker_at(
            &machine().docker_host,
            [
                "import",
                "-c",
                &format!("ENTRYPOINT {entry}"),
                tar.to_str().expect("UTF-8"),
                &name,
            ],
        )
        .success();
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&format!("image rm {}", self.0));
    }
}

/// Creates a builder with an image, which fails at its boot, soon.
fn fails(sandbox: &Sandbox, image: &Image) -> Finished {
    let begun = Instant::now();
    let finished = sandbox
        .buildx(&format!(
            "create --bootstrap --name {} --driver-opt image={}",
            sandbox.name("fails"),
            image.0
        ))
        .failure(1);
    let took = begun.elapsed();
    assert!(took < SOON, "after {took:?}: {}", finished.transcript());
    finished
}

#[test]
fn the_cause_is_shown_wherever_it_is_in_the_log() {
    let usage = "for i in $(seq 60); do echo \"   --flag-$i VALUE  text\"; done";
    let trace = "for i in $(seq 60); do echo \"main.go:$i +0x1\" >&2; done";
    for script in [
        // A program that refuses a flag explains its usage.
        format!("echo 'flag provided but not defined: -the-cause'; {usage}; exit 1"),
        // A program that crashes prints a trace.
        format!("echo 'panic: the-cause' >&2; {trace}; exit 2"),
        format!("{usage}; echo 'failed to load config: the-cause' >&2; {usage}; exit 1"),
        format!("{trace}; {usage}; echo the-cause; exit 1"),
    ] {
        let sandbox = Sandbox::new();
        let image = Image::with_buildctl(&sandbox, &script);
        let finished = fails(&sandbox, &image)
            .says("ended while BuildKit was starting, exit code")
            .says("the-cause")
            .says("\n    ...\n")
            .says("hint: the whole log is in ");
        drop(image);
        // The container is gone, its whole log is not.
        sandbox.assert_nothing_left();
        let file = finished.stderr.split("the whole log is in ").nth(1);
        let file = file.expect("a path").lines().next().expect("a path");
        let log = fs::read_to_string(file).expect("the log");
        assert!(log.contains("the-cause"), "{log}");
        assert!(
            log.contains("-60 VALUE") || log.contains("main.go:60"),
            "{log}"
        );
    }
}

#[test]
fn standard_error_is_not_mixed_with_standard_output() {
    let sandbox = Sandbox::new();
    let script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done; exit 1";
    let image = Image::with_buildctl(&sandbox, script);
    fails(&sandbox, &image)
        .says(":\n    err1\n    err2\n    err3\n")
        .says(":\n    out1\n    out2\n    out3\n");
}

#[test]
fn an_image_without_buildctl_is_said_at_once() {
    let sandbox = Sandbox::new();
    let image = Image::running(&sandbox, "sleep 600");
    fails(&sandbox, &image).says("cannot run \"buildctl\" in container ");
    drop(image);
    sandbox.assert_nothing_left();
}

#[test]
fn a_forbidden_request_is_named_at_once() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), Duration::ZERO);
    for (forbidden, named) in [
        ("/exec", "Forbidden (POST /"),
        ("/containers/create", "/containers/create)"),
        ("/start", "/start)"),
        ("/volumes", "/volumes/"),
    ] {
        engine.forbid(&[forbidden]);
        let begun = Instant::now();
        let finished = sandbox
            .buildx(&format!("create --bootstrap --name {}", sandbox.name("f")))
            .variable("DOCKER_HOST", &engine.endpoint())
            .failure(1)
            .says("the engine answered 403: Forbidden")
            .says(named);
        let took = begun.elapsed();
        assert!(took < SOON, "after {took:?}: {}", finished.transcript());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_boot_needs_no_description_of_the_engine() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), Duration::ZERO);
    engine.forbid(&["/info", "/version"]);
    let name = sandbox.name("restricted");
    sandbox
        .buildx(&format!("create --bootstrap --use --name {name}"))
        .variable("DOCKER_HOST", &engine.endpoint())
        .success();
    let context = Context::on_base("RUN echo built\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success()
        .says("built");
}
