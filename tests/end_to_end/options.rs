//! The effect of each option of the driver, as the engine reports it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::certificates;
use crate::context::Context;
use crate::support::{Sandbox, container_of, docker, inspect, machine};

/// Boots a builder with options, and returns the engine's description of its container.
#[track_caller]
fn container_with(sandbox: &Sandbox, options: &str) -> Value {
    let name = sandbox.booted("options", &format!("--driver-opt {options}"));
    inspect(&container_of(&name))
}

/// Returns the output of `iechor inspect --format` for a container.
#[track_caller]
fn formatted(sandbox: &Sandbox, container: &str, template: &str) -> String {
    let inspected = sandbox
        .iechor(&format!("inspect {container} --format"))
        .argument(template)
        .success();
    inspected.stdout.trim_end().to_owned()
}

#[test]
fn defaults() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("defaults", "--driver-opt transport=exec");
    let container = inspect(&container_of(&name));
    let host = &container["HostConfig"];
    assert_eq!(
        container["Config"]["Image"],
        machine().buildkit_image.as_str()
    );
    assert_eq!(
        container["Config"]["Cmd"],
        json!(["--allow-insecure-entitlement=network.host"])
    );
    assert_eq!(host["Privileged"], true);
    assert_eq!(host["Init"], true);
    assert_eq!(
        host["RestartPolicy"],
        json!({"Name": "unless-stopped", "MaximumRetryCount": 0})
    );
    assert_eq!(host["Memory"], 0);
    assert_eq!(host["CpuShares"], 0);
    assert_eq!(host["CgroupParent"], "/iechor/buildx");
    let mount = &container["Mounts"][0];
    assert_eq!(mount["Name"], format!("buildx_buildkit_{name}0_state"));
    assert_eq!(mount["Destination"], "/var/lib/buildkit");
    let labels = &container["Config"]["Labels"];
    assert_eq!(labels["dev.iechor.builder"], name.as_str());
    assert_eq!(labels["dev.iechor.node"], format!("{name}0"));
    assert_eq!(labels["dev.iechor.driver"], "iechor-container");
}

#[test]
fn image() {
    let sandbox = Sandbox::new();
    let image = sandbox.name("image:own");
    docker(&format!("tag {} {image}", machine().buildkit_image)).success();
    let name = sandbox.name("options");
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .success()
        .says(&format!("#1 using local image {image}"));
    assert_eq!(
        formatted(&sandbox, &container_of(&name), "{{.Config.Image}}"),
        image
    );
}

#[test]
fn memory_and_memory_swap() {
    let sandbox = Sandbox::new();
    let container = container_with(&sandbox, "memory=1g,memory-swap=1536m");
    assert_eq!(container["HostConfig"]["Memory"], 1u64 << 30);
    assert_eq!(container["HostConfig"]["MemorySwap"], 1536u64 << 20);
}

#[test]
fn memory_swap_without_limit() {
    let sandbox = Sandbox::new();
    let container = container_with(&sandbox, "memory=1g,memory-swap=-1");
    assert_eq!(container["HostConfig"]["MemorySwap"], -1);
}

#[test]
fn cpu_options() {
    let sandbox = Sandbox::new();
    let options = "cpu-quota=150000,cpu-period=100000,cpu-shares=512,cpuset-cpus=0,cpuset-mems=0";
    let container = container_with(&sandbox, options);
    let host = &container["HostConfig"];
    assert_eq!(host["CpuQuota"], 150_000);
    assert_eq!(host["CpuPeriod"], 100_000);
    assert_eq!(host["CpuShares"], 512);
    assert_eq!(host["CpusetCpus"], "0");
    assert_eq!(host["CpusetMems"], "0");
}

#[test]
fn cgroup_parent() {
    let sandbox = Sandbox::new();
    let container = container_with(&sandbox, "cgroup-parent=/iechor/e2e");
    assert_eq!(container["HostConfig"]["CgroupParent"], "/iechor/e2e");
}

#[test]
fn restart_policies() {
    for (policy, name, attempts) in [
        ("no", "no", 0),
        ("always", "always", 0),
        ("on-failure:3", "on-failure", 3),
    ] {
        let sandbox = Sandbox::new();
        let container = container_with(&sandbox, &format!("restart-policy={policy}"));
        assert_eq!(
            container["HostConfig"]["RestartPolicy"],
            json!({"Name": name, "MaximumRetryCount": attempts})
        );
    }
}

#[test]
fn environment() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("environment");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap"))
        .words("--driver-opt env.FIRST=1 --driver-opt")
        .argument(r#""env.NO_PROXY=a,b","env.SPACED=two words""#)
        .success();
    let container = inspect(&container_of(&name));
    let environment = container["Config"]["Env"].as_array().expect("a list");
    for expected in ["FIRST=1", "NO_PROXY=a,b", "SPACED=two words"] {
        assert!(
            environment.contains(&json!(expected)),
            "{expected} is not in {environment:?}"
        );
    }
}

#[test]
fn default_load() {
    let sandbox = Sandbox::new();
    sandbox.booted("load", "--driver-opt default-load=true");
    let tag = sandbox.name("loaded:1");
    let context = Context::on_base("CMD [\"echo\", \"loaded by default\"]\n");
    let build = format!("build -t {tag} {}", context.word());
    sandbox
        .buildx(&build)
        .success()
        .does_not_say("No output specified");
    docker(&format!("run --rm {tag}"))
        .success()
        .prints("loaded by default\n");
    docker(&format!("rmi {tag}")).success();

    // With an explicit output, the result goes only there.
    sandbox
        .buildx(&build)
        .words("--output type=cacheonly")
        .success();
    docker(&format!("image inspect {tag}")).failure(1);
}

#[test]
fn a_builder_of_docker_buildx_may_have_any_of_its_options() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("peer");
    let endpoint = &machine().docker_host;
    let group = json!({
        "Name": name,
        "Driver": "docker-container",
        "Nodes": [{
            "Name": format!("{name}0"),
            "Endpoint": endpoint,
            "DriverOpts": {"provenance-add-gha": "true", "allow-untrusted-image": "true"},
        }],
        "Dynamic": false,
    });
    let instances = sandbox.store().join("instances");
    fs::create_dir_all(&instances).expect("made");
    fs::write(instances.join(&name), group.to_string()).expect("written");
    for line in ["inspect --bootstrap", "stop", "rm"] {
        sandbox.buildx(line).words(&name).success();
    }
    sandbox.assert_nothing_left();
}

#[test]
fn buildkitd_flags() {
    let sandbox = Sandbox::new();
    let empty = sandbox.write("empty.toml", "");
    let name = sandbox.booted(
        "flags",
        &format!(
            "--buildkitd-flags=--debug --buildkitd-config {}",
            empty.display()
        ),
    );
    let command = inspect(&container_of(&name))["Config"]["Cmd"].take();
    let words: Vec<_> = command
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(words.contains(&"--debug"), "{words:?}");
    assert!(
        words.contains(&"--allow-insecure-entitlement=network.host"),
        "{words:?}"
    );
}

#[test]
fn own_entitlements_replace_the_default_one() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted(
        "flags",
        "--driver-opt transport=exec \
         --buildkitd-flags=--allow-insecure-entitlement=security.insecure",
    );
    assert_eq!(
        inspect(&container_of(&name))["Config"]["Cmd"],
        json!(["--allow-insecure-entitlement=security.insecure"])
    );
}

/// Creates the certificates of a registry's authority and of the client, and the client's key: `ca.pem`,
/// `cert.pem` and `key.pem`.
fn make_certificates(sandbox: &Sandbox) {
    let place = sandbox.path("");
    certificates::authority(&place, "ca");
    certificates::certificate(&place, "ca", "cert", certificates::CLIENT, 1);
    fs::rename(sandbox.path("cert.key"), sandbox.path("key.pem")).expect("renamed");
}

#[test]
fn buildkitd_config_and_certificates() {
    let sandbox = Sandbox::new();
    make_certificates(&sandbox);
    let place = |name: &str| sandbox.path(name).display().to_string();
    let configuration = sandbox.write(
        "own.toml",
        format!(
            "debug = true\n\
             [registry.\"reg.test:5000\"]\n  ca = [\"{}\"]\n\
             [[registry.\"reg.test:5000\".keypair]]\n  key = \"{}\"\n  cert = \"{}\"\n",
            place("ca.pem"),
            place("key.pem"),
            place("cert.pem"),
        ),
    );
    let name = sandbox.booted(
        "config",
        &format!("--buildkitd-config {}", configuration.display()),
    );
    let container = container_of(&name);

    let read = |path: &str| {
        docker(&format!("exec {container} cat {path}"))
            .success()
            .stdout
    };
    let taken = read("/etc/buildkit/buildkitd.toml");
    assert!(taken.starts_with("debug = true\n"), "{taken}");
    for (name, mode) in [("ca.pem", 644), ("cert.pem", 644), ("key.pem", 600)] {
        let path = format!("/etc/buildkit/certs/reg.test_5000/{name}");
        assert!(
            taken.contains(&format!("\"{path}\"")),
            "{path} is not in {taken}"
        );
        let given = fs::read_to_string(sandbox.path(name)).expect("made");
        assert_eq!(read(&path), given);
        docker(&format!("exec {container} stat -c %a:%u:%g {path}"))
            .success()
            .prints(&format!("{mode}:0:0\n"));
    }

    let shown = sandbox.buildx("inspect").success().stdout;
    assert!(
        shown.contains("File#buildkitd.toml:\n > debug = true\n"),
        "{shown}"
    );
    let named = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(
        named["Nodes"][0]["Files"],
        json!([
            "buildkitd.toml",
            "certs/reg.test_5000/ca.pem",
            "certs/reg.test_5000/cert.pem",
            "certs/reg.test_5000/key.pem",
        ])
    );
}

#[test]
fn private_keys_are_not_shown() {
    let sandbox = Sandbox::new();
    make_certificates(&sandbox);
    let configuration = sandbox.write(
        "own.toml",
        "[[registry.\"reg.test\".keypair]]\nkey = \"key.pem\"\ncert = \"cert.pem\"\n",
    );
    let name = sandbox.name("secret");
    sandbox
        .buildx(&format!(
            "create --name {name} --buildkitd-config {}",
            configuration.display()
        ))
        .success();
    let key = fs::read_to_string(sandbox.path("key.pem")).expect("made");
    let secret = key.lines().nth(1).expect("a line of the key");
    for line in ["inspect", "inspect --format json"] {
        let shown = sandbox.buildx(line).words(&name).success();
        assert!(!shown.stdout.contains(secret), "{}", shown.stdout);
    }
}

#[test]
fn only_certificates_and_keys_are_taken_along() {
    let sandbox = Sandbox::new();
    make_certificates(&sandbox);
    sandbox.write(
        "credentials",
        "[default]\naws_secret_access_key = hunter2\n",
    );
    let made = Command::new("mkfifo").arg(sandbox.path("pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    for (ca, words) in [
        ("credentials", "it has no certificate in it"),
        ("/etc/shadow", "it has no certificate in it"),
        ("key.pem", "it has a private key in it"),
        ("pipe", "it is a named pipe, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
    ] {
        let text = format!("[registry.\"reg.test\"]\nca = [\"{ca}\"]\n");
        sandbox.write("own.toml", text);
        let name = sandbox.name("refused");
        sandbox
            .buildx(&format!("create --name {name} --buildkitd-config own.toml"))
            .failure(1)
            .says(words)
            .says("own.toml:2")
            .does_not_say("hunter2");
    }
    for config in ["pipe", "/dev/zero"] {
        let name = sandbox.name("refused");
        sandbox
            .buildx(&format!("create --name {name} --buildkitd-config {config}"))
            .failure(1)
            .says("not a regular file");
    }
    sandbox.assert_nothing_left();
}
