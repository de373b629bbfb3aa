//! The effect of the options of the driver that docker buildx does not have.

use std::fs;

use serde_json::{Value, json};

use crate::certificates;
use crate::context::Context;
use crate::support::{Invocation, Sandbox, container_of, docker, inspect, wait_until};

/// Boots a builder with one option, and returns its name.
#[track_caller]
fn booted(sandbox: &Sandbox, option: &str) -> String {
    let name = sandbox.name("options");
    create(sandbox, &name, &[option]).success();
    name
}

/// Creates and boots a builder with options, each of which may have commas.
fn create(sandbox: &Sandbox, name: &str, options: &[&str]) -> Invocation {
    let mut run = sandbox.buildx(&format!("create --name {name} --bootstrap"));
    for option in options {
        run = run.words("--driver-opt").argument(format!("\"{option}\""));
    }
    run
}

#[track_caller]
fn read(builder: &str, path: &str) -> String {
    let container = container_of(builder);
    docker(&format!("exec {container} cat {path}"))
        .success()
        .stdout
}

fn host_config(builder: &str) -> Value {
    inspect(&container_of(builder))["HostConfig"].take()
}

#[test]
fn pull() {
    let sandbox = Sandbox::new();
    for policy in ["missing", "never"] {
        let name = sandbox.name(policy);
        create(&sandbox, &name, &[&format!("pull={policy}")])
            .success()
            .does_not_say("pulling image");
    }
    let name = sandbox.name("absent");
    create(
        &sandbox,
        &name,
        &["pull=never", "image=iechor.test/absent:1"],
    )
    .failure(1)
    .says("image iechor.test/absent:1 is not in the engine")
    .says("pull=missing")
    .does_not_say("pulling image");
    let name = sandbox.name("pulled");
    create(
        &sandbox,
        &name,
        &["pull=missing", "image=iechor.test/absent:1"],
    )
    .failure(1)
    .says("pulling image iechor.test/absent:1");
}

#[test]
fn mounts() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("shared")).expect("created");
    let file = sandbox.write("shared/file", "from the machine");
    let directory = file.parent().expect("a directory").display().to_string();
    let volume = sandbox.name("volume");
    docker(&format!("volume create {volume}")).success();
    let name = booted(
        &sandbox,
        &format!(
            "mount={directory}:/usr/share/given:ro;{volume}:/kept;type=tmpfs,target=/fast,tmpfs-size=1m"
        ),
    );
    assert_eq!(read(&name, "/usr/share/given/file"), "from the machine");
    let container = container_of(&name);
    docker(&format!("exec {container} touch /usr/share/given/new")).failure(1);
    docker(&format!("exec {container} touch /kept/new")).success();
    let mounted = read(&name, "/proc/mounts");
    assert!(mounted.contains("tmpfs /fast tmpfs"), "{mounted}");
    sandbox.buildx(&format!("rm {name}")).success();
    // It is the user's, and stays.
    docker(&format!("volume rm {volume}")).success();

    let name = sandbox.name("absent");
    create(&sandbox, &name, &[&format!("mount={volume}:/kept")])
        .failure(1)
        .says(&volume);
    docker(&format!("volume inspect {volume}")).failure(1);
}

#[test]
fn hosts_and_dns() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("names");
    let options = [
        "add-host=registry.test:10.1.2.3;other.test:10.1.2.4",
        "dns=10.9.8.7;10.9.8.6",
        "dns-search=example.test",
        "dns-option=ndots:3",
    ];
    create(&sandbox, &name, &options).success();
    let hosts = read(&name, "/etc/hosts");
    for expected in ["10.1.2.3\tregistry.test", "10.1.2.4\tother.test"] {
        assert!(hosts.contains(expected), "{hosts}");
    }
    let resolver = read(&name, "/etc/resolv.conf");
    for expected in ["10.9.8.7", "10.9.8.6", "example.test", "ndots:3"] {
        assert!(resolver.contains(expected), "{resolver}");
    }
}

#[test]
fn labels_limits_and_security_options() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("limits");
    let options = [
        "label.com.example.team=web, mobile",
        "ulimit=nofile=2048:4096;core=0",
        "security-opt=no-new-privileges",
    ];
    create(&sandbox, &name, &options).success();
    let labels = inspect(&container_of(&name))["Config"]["Labels"].take();
    assert_eq!(labels["com.example.team"], "web, mobile");
    assert_eq!(labels["dev.iechor.node"], format!("{name}0"));
    assert_eq!(
        host_config(&name)["SecurityOpt"],
        json!(["no-new-privileges", "label=disable"])
    );
    let limits = read(&name, "/proc/1/limits");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = files.expect("a line").split_whitespace().collect();
    assert_eq!(words[3..5], ["2048", "4096"], "{limits}");
}

#[test]
fn gpus_are_requested_and_not_probed() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("gpus");
    // This engine has none, and says so; without the option nothing is asked for.
    create(&sandbox, &name, &["gpus=all"])
        .failure(1)
        .says("could not select device driver");
    let name = booted(&sandbox, "gpus=none");
    assert_eq!(host_config(&name)["DeviceRequests"], Value::Null);
}

#[test]
fn registries() {
    let sandbox = Sandbox::new();
    let configuration = sandbox.write("own.toml", "[registry.\"own.test\"]\nhttp = true\n");
    let name = sandbox.name("registries");
    let options = [
        "insecure-registry=reg.test:5000",
        "registry-mirror=http://mirror.test:5000;other.test=mirror.test:5000/other",
    ];
    create(&sandbox, &name, &options)
        .words("--buildkitd-config")
        .argument(configuration.display().to_string())
        .success();
    let written = read(&name, "/etc/buildkit/buildkitd.toml");
    for expected in [
        "[registry.\"own.test\"]\nhttp = true\n",
        "[registry.\"reg.test:5000\"]\ninsecure = true\n",
        "[registry.\"mirror.test:5000\"]\nhttp = true\n",
        "[registry.\"docker.io\"]\nmirrors = [\"mirror.test:5000\"]\n",
        "[registry.\"other.test\"]\nmirrors = [\"mirror.test:5000/other\"]\n",
    ] {
        assert!(written.contains(expected), "{expected} is not in {written}");
    }

    // A contradiction is an error, and nothing is left.
    let configuration = sandbox.write(
        "other.toml",
        "[registry.\"docker.io\"]\nmirrors = [\"own.test\"]\n",
    );
    let name = sandbox.name("contradiction");
    create(&sandbox, &name, &["registry-mirror=mirror.test"])
        .words("--buildkitd-config")
        .argument(configuration.display().to_string())
        .failure(1)
        .says("has mirrors of \"docker.io\" without \"mirror.test\"");
    docker(&format!("container inspect {}", container_of(&name))).failure(1);
}

#[test]
fn certificate_authorities() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("");
    certificates::authority(&place, "ca");
    let file = sandbox.path("ca.pem");
    let given = fs::read_to_string(&file).expect("made");
    let name = booted(&sandbox, &format!("ca-certs={}", file.display()));
    assert_eq!(read(&name, "/etc/ssl/certs/iechor-ca-certs.pem"), given);

    // A private key never leaves this machine.
    certificates::certificate(&place, "ca", "cert", certificates::CLIENT, 1);
    let key = sandbox.path("cert.key").display().to_string();
    let name = sandbox.name("key");
    create(&sandbox, &name, &[&format!("ca-certs={key}")])
        .failure(1)
        .says("private key");
    docker(&format!("container inspect {}", container_of(&name))).failure(1);
}

#[test]
fn boot_timeout() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("timeout");
    // It listens where nobody looks.
    create(&sandbox, &name, &["boot-timeout=1s", "transport=exec"])
        .words("--buildkitd-flags=--addr=unix:///tmp/elsewhere.sock")
        .failure(1)
        .says("does not answer within 1 s (option boot-timeout)");
}

#[test]
fn idle_stop() {
    for transport in ["exec", "auto"] {
        let sandbox = Sandbox::new();
        let name = sandbox.name(transport);
        let options = ["idle-stop=2s", &format!("transport={transport}")];
        create(&sandbox, &name, &options)
            .success()
            .says("stopping BuildKit after 2 s without a build");
        let is_running = || inspect(&container_of(&name))["State"]["Running"] == true;
        wait_until("BuildKit stopped", || !is_running());
        assert_eq!(host_config(&name)["RestartPolicy"]["Name"], "no");
        // A build that takes longer than that is not interrupted, and starts BuildKit again.
        let context = Context::on_base("RUN sleep 5\n");
        sandbox
            .buildx(&format!("build --builder {name} {}", context.word()))
            .success();
        wait_until("BuildKit stopped again", || !is_running());
    }
}

#[test]
fn every_wrong_option_is_named_at_once() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("wrong");
    let wrong = [
        "pull=sometimes",
        "mount=/a",
        "add-host=a",
        "dns=resolver",
        "ulimit=files=1",
        "security-opt=x",
        "gpus=many",
        "insecure-registry=a b",
        "registry-mirror=a b",
        "boot-timeout=1h",
        "idle-stop=1ms",
        "transport=pigeon",
        "label.dev.iechor.node=x",
    ];
    let mut failed = create(&sandbox, &name, &wrong).failure(1);
    for option in wrong {
        let option = option.split('=').next().expect("a name");
        failed = failed.says(option);
    }
    assert!(!fs::exists(sandbox.store().join("instances").join(&name)).expect("seen"));
}
