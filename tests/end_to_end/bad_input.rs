//! Invalid input: the error names the cause, and nothing is saved or left over.

use std::path::Path;
use std::process::Stdio;

use crate::context::Context;
use crate::support::{Finished, Sandbox, docker_at, machine};

/// Asserts that `create` fails, and leaves nothing.
#[track_caller]
fn create_fails(flags: &str) -> Finished {
    let sandbox = Sandbox::new();
    let finished = sandbox
        .buildx(&format!(
            "create --name {} --driver iechor-container {flags}",
            sandbox.name("bad")
        ))
        .failure(1)
        .prints("");
    sandbox.assert_nothing_left();
    finished
}

#[test]
fn all_bad_options_are_named_at_once() {
    create_fails("--driver-opt memory=banana,restart-policy=sometimes,env.=x,foo=1")
        .says_line("ERROR: driver iechor-container:")
        .says("\n  option foo: there is no such option; there are: image, memory, ")
        .says("\n  option memory: \"banana\" is not a size")
        .says("\n  option restart-policy: \"sometimes\" is not a restart policy")
        .says("\n  option env.: expecting env.NAME=VALUE");
}

#[test]
fn each_bad_option_is_named() {
    for (option, words) in [
        (
            "banana=1",
            "ERROR: driver iechor-container: option banana: there is no such option",
        ),
        ("memory=-1", "option memory: "),
        (
            "memory-swap=2g",
            "option memory-swap: it needs the option memory beside it",
        ),
        (
            "memory=2g,memory-swap=1g",
            "option memory-swap: it counts memory and swap together",
        ),
        ("cpu-quota=much", "option cpu-quota: "),
        ("cpu-period=-5", "option cpu-period: "),
        ("cpu-shares=1.5", "option cpu-shares: "),
        ("cpuset-cpus=x", "option cpuset-cpus: "),
        ("cpuset-mems=1-", "option cpuset-mems: "),
        ("default-load=perhaps", "option default-load: "),
        ("restart-policy=on-failure:x", "option restart-policy: "),
        ("restart-policy=always:3", "option restart-policy: "),
        ("image=", "option image: "),
        ("memory", "invalid value \"memory\", expecting k=v"),
    ] {
        create_fails(&format!("--driver-opt {option}")).says(words);
    }
}

#[test]
fn what_the_engine_refuses_is_said() {
    // 4 MiB is less than any engine accepts.
    create_fails("--bootstrap --driver-opt memory=4m").says("emory limit");
}

#[test]
fn bad_names() {
    for (name, words) in [
        ("1st", "invalid name 1st"),
        ("a/b", "invalid name a/b"),
        ("../up", "invalid name ../up"),
        ("default", "default is a reserved name"),
    ] {
        let sandbox = Sandbox::new();
        sandbox
            .buildx(&format!("create --name {name}"))
            .failure(1)
            .says(words);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn bad_platforms() {
    create_fails("--platform banana").says("banana");
}

#[test]
fn bad_configuration_files() {
    create_fails("--buildkitd-config ./nowhere.toml").says("nowhere.toml");
    let sandbox = Sandbox::new();
    sandbox.write("broken.toml", "debug = [\n");
    sandbox
        .buildx(&format!(
            "create --name {} --buildkitd-config broken.toml",
            sandbox.name("bad")
        ))
        .failure(1)
        .says("broken.toml");
    sandbox.assert_nothing_left();
}

#[test]
fn no_engine_at_the_endpoint() {
    for (host, reason) in [
        ("unix:///nonexistent.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "connection refused"),
    ] {
        let sandbox = Sandbox::new();
        for command in ["create --name nobody", "create --name nobody --bootstrap"] {
            sandbox
                .buildx(command)
                .variable("DOCKER_HOST", host)
                .failure(4)
                .says(&format!(
                    "ERROR: cannot reach the engine at {host}: {reason}"
                ))
                .says("hint: check that the engine runs");
        }
        sandbox.assert_nothing_left();
    }
}

#[test]
fn an_endpoint_that_makes_no_sense() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx("create --name nobody")
        .variable("DOCKER_HOST", "banana://x")
        .failure(1)
        .says("banana");
    sandbox.assert_nothing_left();
    sandbox
        .buildx("create --name nobody no-such-context")
        .failure(1)
        .says("no-such-context");
    sandbox.assert_nothing_left();
}

#[test]
fn an_image_that_does_not_exist() {
    let image = "127.0.0.1:1/no/such-image:1";
    create_fails(&format!("--bootstrap --driver-opt image={image}"))
        .says(&format!("cannot pull {image}"))
        .says("connection refused");
}

#[test]
fn a_daemon_that_dies_at_boot() {
    create_fails("--bootstrap --buildkitd-flags=--no-such-flag")
        .says("ended while BuildKit was starting, exit code 1")
        .says("\n  standard error of container ")
        .says("flag provided but not defined: -no-such-flag");
}

#[test]
fn a_build_on_a_daemon_that_dies_at_boot_leaves_the_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("dies");
    sandbox
        .buildx(&format!(
            "create --name {name} --buildkitd-flags=--no-such-flag"
        ))
        .success();
    let context = Context::bare("FROM scratch\n");
    sandbox
        .buildx(&format!("build --builder {name} {}", context.word()))
        .failure(1)
        .says("ended while BuildKit was starting, exit code 1");
    assert_eq!(sandbox.builders(), [name]);
    assert!(sandbox.left_in_engine().is_empty());
}

/// Removes an image from the engine of the machine.
struct ImageOf<'a>(&'a str, String);

impl Drop for ImageOf<'_> {
    fn drop(&mut self) {
        docker_at(self.0, ["rmi", "--force", &self.1]);
    }
}

#[test]
fn an_engine_that_refuses_privileged_containers() {
    let host = "unix:///var/run/docker.sock";
    let usable = Path::new("/var/run/docker.sock").exists()
        && machine().docker_host != host
        && docker_at(host, ["version"]).stdout.contains("Server");
    if !usable {
        println!("the machine has no engine beside that of the tests: nothing to show");
        return;
    }
    let sandbox = Sandbox::new();
    let image = ImageOf(host, sandbox.name("tiny:1"));
    let tar = machine()
        .base
        .join(crate::support::native_architecture())
        .join("busybox.tar");
    let imported = std::process::Command::new("docker")
        .args(["--host", host, "import"])
        .args([tar.to_str().expect("Unicode"), image.1.as_str()])
        .stdout(Stdio::null())
        .status();
    assert!(imported.expect("docker runs").success());
    let privileged = docker_at(host, ["run", "--rm", "--privileged", &image.1, "true"]);
    if privileged.stderr.is_empty() {
        println!("the machine's engine runs privileged containers: nothing to show");
        return;
    }
    let name = sandbox.name("refused");
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={}",
            image.1
        ))
        .variable("DOCKER_HOST", host)
        .failure(1)
        .says("hint: the engine refuses privileged containers, which BuildKit needs")
        .says("DOCKER_HOST");
    sandbox.assert_nothing_left();
    let filter = format!("name={name}");
    docker_at(host, ["ps", "--all", "--quiet", "--filter", &filter])
        .success()
        .prints("");
    docker_at(host, ["volume", "ls", "--quiet", "--filter", &filter])
        .success()
        .prints("");
}

#[test]
fn wrong_command_lines() {
    let sandbox = Sandbox::new();
    for (line, words) in [
        ("buildx build", "PATH | URL"),
        ("buildx banana", "banana"),
        ("buildx ls --format banana", "banana"),
        ("buildx create --no-such-flag", "--no-such-flag"),
        ("buildx ls --timeout 20", "is not a duration"),
        ("banana", "banana"),
    ] {
        sandbox.iechor(line).failure(1).prints("").says(words);
    }
    assert!(!sandbox.store().exists());
}
