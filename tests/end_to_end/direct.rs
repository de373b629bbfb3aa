//! Connections to BuildKit past the engine.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use crate::context::Context;
use crate::support::{Finished, Invocation, Sandbox, container_of, docker, inspect};

/// The directories that are shared with containers.
fn shared(sandbox: &Sandbox) -> Vec<PathBuf> {
    match fs::read_dir(sandbox.store().join("direct")) {
        Ok(entries) => entries.map(|entry| entry.expect("seen").path()).collect(),
        Err(_) => Vec::new(),
    }
}

/// The only one of them.
#[track_caller]
fn the_shared(sandbox: &Sandbox) -> PathBuf {
    let shared = shared(sandbox);
    assert_eq!(shared.len(), 1, "{shared:?}");
    shared[0].clone()
}

/// Takes away the command by which BuildKit is reached through the engine.
#[track_caller]
fn break_exec(builder: &str) {
    let container = container_of(builder);
    docker(&format!(
        "exec {container} rm -f /usr/local/bin/buildctl /usr/bin/buildctl"
    ))
    .success();
}

fn build(sandbox: &Sandbox, builder: &str, expectation: fn(Invocation) -> Finished) -> Finished {
    let context = Context::on_base("RUN true\n");
    let line = format!("--debug build --builder {builder} {}", context.word());
    expectation(sandbox.buildx(&line))
}

#[test]
fn a_builder_of_an_engine_on_this_machine_is_reached_directly() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("direct", "");
    break_exec(&name);
    build(&sandbox, &name, Invocation::success);
    let inspected = sandbox.buildx(&format!("inspect {name}")).success();
    assert!(inspected.stdout.contains("running"), "{}", inspected.stdout);

    // Nobody else gets there.
    let directory = the_shared(&sandbox);
    let outer = fs::symlink_metadata(sandbox.store().join("direct")).expect("seen");
    assert_eq!(outer.permissions().mode() & 0o7777, 0o700);
    assert_eq!(outer.uid(), rustix::process::geteuid().as_raw());
    let socket = directory.join("buildkitd.sock");
    let status = fs::symlink_metadata(&socket).expect("seen");
    assert!(status.file_type().is_socket());

    sandbox.buildx(&format!("rm {name}")).success();
    assert_eq!(shared(&sandbox), [""; 0].map(PathBuf::from));
    sandbox.assert_nothing_left();
}

#[test]
fn without_the_socket_the_engine_is_used() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("fallback", "");
    let socket = the_shared(&sandbox).join("buildkitd.sock");
    fs::remove_file(&socket).expect("removed");
    build(&sandbox, &name, Invocation::success).says("no direct connection, using the engine");
    // A link is not followed.
    std::os::unix::fs::symlink("/run/docker.sock", &socket).expect("linked");
    build(&sandbox, &name, Invocation::success).says("not a socket");
}

#[test]
fn where_it_must_be_direct_it_fails_without_the_socket() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("strict", "--driver-opt transport=direct");
    build(&sandbox, &name, Invocation::success);
    let socket = the_shared(&sandbox).join("buildkitd.sock");
    fs::remove_file(&socket).expect("removed");
    build(&sandbox, &name, |run| run.failure(1)).says("cannot connect directly to BuildKit");
}

#[test]
fn through_the_engine_where_the_user_wants_it() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("exec", "--driver-opt transport=exec");
    assert_eq!(shared(&sandbox).len(), 0);
    let command = inspect(&container_of(&name))["Config"]["Cmd"].to_string();
    assert!(!command.contains("--addr"), "{command}");
    build(&sandbox, &name, Invocation::success);
    break_exec(&name);
    build(&sandbox, &name, |run| run.failure(1));
}

#[test]
fn a_stopped_builder_starts_again_although_its_directory_is_gone() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("again", "");
    sandbox.buildx(&format!("stop {name}")).success();
    fs::remove_dir_all(sandbox.store().join("direct")).expect("removed");
    build(&sandbox, &name, Invocation::success);
    break_exec(&name);
    build(&sandbox, &name, Invocation::success);
}

#[test]
fn a_boot_that_fails_leaves_no_directory() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("failed");
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --buildkitd-flags=--nosuchflag"
        ))
        .failure(1);
    assert_eq!(shared(&sandbox).len(), 0);
}

#[test]
fn the_directory_of_a_container_that_somebody_removed_goes_with_its_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("removed", "");
    docker(&format!("rm -f {}", container_of(&name))).success();
    sandbox.buildx(&format!("rm {name}")).success();
    assert_eq!(shared(&sandbox).len(), 0);
}

#[test]
fn the_users_own_addresses_stay() {
    let sandbox = Sandbox::new();
    let configuration = sandbox.write(
        "grpc.toml",
        "[grpc]\naddress = [\"unix:///run/buildkit/buildkitd.sock\", \"unix:///run/other.sock\"]\n",
    );
    let name = sandbox.booted(
        "addresses",
        &format!("--buildkitd-config {}", configuration.display()),
    );
    let container = container_of(&name);
    docker(&format!("exec {container} test -S /run/other.sock")).success();
    break_exec(&name);
    build(&sandbox, &name, Invocation::success);
}
