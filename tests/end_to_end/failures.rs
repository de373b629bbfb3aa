//! Builds that fail.

use std::fs;

use crate::context::{BASE, Context};
use crate::support::{Sandbox, container_of, docker, wait_until};

#[test]
fn a_failing_step_is_shown_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.booted("fails", "");
    let context = Context::on_base("RUN echo before\nRUN echo reason >&2; exit 3\n");
    let failed = sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .prints("")
        .says("Dockerfile:5\n")
        .says_line("   5 | >>> RUN echo reason >&2; exit 3")
        .says_line(
            "ERROR: failed to build: failed to solve: process \"/bin/sh -c echo reason >&2; exit \
             3\" did not complete successfully: exit code: 3",
        );
    let count = |text: &str| failed.stderr.matches(text).count();
    assert_eq!(count(">>>"), 1, "{}", failed.stderr);
    assert_eq!(count("ERROR: failed to build"), 1, "{}", failed.stderr);
    assert_eq!(
        count("\n > ["),
        1,
        "the log of the step, once more: {}",
        failed.stderr
    );
}

#[test]
fn a_syntax_error_is_shown_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.booted("syntax", "");
    let context = Context::bare("FROM scratch\nBANANA split\n");
    let failed = sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .says_line("   2 | >>> BANANA split")
        .says("unknown instruction: BANANA");
    assert_eq!(failed.stderr.matches(">>>").count(), 1, "{}", failed.stderr);
}

#[test]
fn a_file_that_is_not_in_the_context_is_named() {
    let sandbox = Sandbox::new();
    sandbox.booted("missing", "");
    let context = Context::bare("FROM scratch\nCOPY nowhere.txt /\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .says_line("   2 | >>> COPY nowhere.txt /")
        .says("\"/nowhere.txt\": not found");
}

#[test]
fn an_unknown_stage_is_named() {
    let sandbox = Sandbox::new();
    sandbox.booted("stage", "");
    let context = Context::bare("FROM scratch AS one\n");
    sandbox
        .buildx(&format!("build --target two {}", context.word()))
        .failure(1)
        .says("target stage \"two\" could not be found");
}

#[test]
fn missing_inputs_are_named_before_anything_runs() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("inputs");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let context = Context::bare("FROM scratch\n");
    let word = context.word();
    fs::rename(
        context.path().join("Dockerfile"),
        context.path().join("file"),
    )
    .expect("renamed");
    for (line, words) in [
        (
            "/no/such/context".to_owned(),
            "unable to prepare context: path \"/no/such/context\" not found".to_owned(),
        ),
        (
            format!("{word}/file"),
            format!("path \"{word}/file\" is not a directory"),
        ),
        (
            word.to_owned(),
            format!("Dockerfile {word}/Dockerfile: there is no such file"),
        ),
        (
            format!("-f {word}/none {word}"),
            format!("Dockerfile {word}/none: there is no such file"),
        ),
        (
            format!("--platform banana -f {word}/file {word}"),
            "banana".to_owned(),
        ),
        (
            format!("--build-arg =x -f {word}/file {word}"),
            "empty key".to_owned(),
        ),
        (
            format!("-t Bad:Tag:1 -f {word}/file {word}"),
            "Bad:Tag:1".to_owned(),
        ),
        (
            format!("--builder nobody -f {word}/file {word}"),
            "nobody".to_owned(),
        ),
    ] {
        sandbox
            .buildx(&format!("build {line}"))
            // An unknown builder has an exit code of its own.
            .failure(if words == "nobody" { 3 } else { 1 })
            .says(&words);
    }
    assert!(sandbox.left_in_engine().is_empty(), "not even booted");
}

#[test]
fn a_quiet_build_that_fails_still_says_why() {
    let sandbox = Sandbox::new();
    sandbox.booted("quiet", "");
    let context = Context::on_base("RUN exit 3\n");
    sandbox
        .buildx(&format!("build --quiet {}", context.word()))
        .failure(1)
        .prints("")
        .says("exit code: 3");
}

#[test]
fn a_build_after_a_failed_one() {
    let sandbox = Sandbox::new();
    sandbox.booted("after", "");
    let context = Context::on_base("RUN exit 3\n");
    let build = format!("build {}", context.word());
    sandbox.buildx(&build).failure(1);
    context.file("Dockerfile", format!("{BASE}RUN exit 0\n"));
    sandbox.buildx(&build).success();
}

#[test]
fn a_daemon_that_is_killed_ends_the_build() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("killed", "");
    let context = Context::on_base("RUN echo underway; sleep 600\n");
    let mut build = sandbox.buildx(&format!("build {}", context.word())).start();
    build.wait_until_it_says(" underway\n");
    docker(&format!("kill {}", container_of(&name))).success();
    build.finish().failure(1).says("ERROR: ").says("connection");

    // The next build boots it again.
    let context = Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
}

#[test]
fn a_paused_container_is_named_with_what_wakes_it_up() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("paused", "");
    let container = container_of(&name);
    let context = Context::on_base("RUN echo hello\n");
    let build = format!("build {}", context.word());
    docker(&format!("pause {container}")).success();
    let listed = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(listed["Nodes"][0]["Status"], "stopped");
    let wake_up = format!("docker unpause {container}");
    sandbox
        .buildx(&build)
        .failure(1)
        .says(&format!("container {container} is paused"))
        .says(&wake_up);
    docker(wake_up.strip_prefix("docker ").expect("a command")).success();
    sandbox.buildx(&build).success();

    docker(&format!("pause {container}")).success();
    sandbox.buildx("rm").success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_that_vanishes_ends_the_build() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("vanishes", "");
    let context = Context::on_base("RUN echo underway; sleep 600\n");
    let mut build = sandbox.buildx(&format!("build {}", context.word())).start();
    build.wait_until_it_says(" underway\n");
    docker(&format!("rm --force {}", container_of(&name))).success();
    build.finish().failure(1).says("ERROR: ").says("connection");
    wait_until("the container is gone", || {
        !sandbox
            .left_in_engine()
            .contains(&format!("container {}", container_of(&name)))
    });
}
