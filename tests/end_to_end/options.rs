//! What each option of the driver does, as the engine sees it.

use std::fs;

use serde_json::{Value, json};

use crate::context::Context;
use crate::support::{Sandbox, container_of, docker, inspect, machine};

/// Boots a builder with these options and returns what the engine says of its container.
#[track_caller]
fn container_with(sandbox: &Sandbox, options: &str) -> Value {
    let name = sandbox.booted("options", &format!("--driver-opt {options}"));
    inspect(&container_of(&name))
}

/// What `iechor inspect --format` makes of a container.
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
    let name = sandbox.booted("defaults", "");
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

    // Whoever says where the result goes gets it there alone.
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
    let name = sandbox.booted(
        "flags",
        "--buildkitd-flags=--debug --buildkitd-config /dev/null",
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
        "--buildkitd-flags=--allow-insecure-entitlement=security.insecure",
    );
    assert_eq!(
        inspect(&container_of(&name))["Config"]["Cmd"],
        json!(["--allow-insecure-entitlement=security.insecure"])
    );
}

#[test]
fn buildkitd_config_and_certificates() {
    let sandbox = Sandbox::new();
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        sandbox.write(name, format!("contents of {name}\n"));
    }
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
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        let path = format!("/etc/buildkit/certs/reg.test_5000/{name}");
        assert!(
            taken.contains(&format!("\"{path}\"")),
            "{path} is not in {taken}"
        );
        assert_eq!(read(&path), format!("contents of {name}\n"));
    }
    docker(&format!(
        "exec {container} stat -c %a:%u:%g /etc/buildkit/certs/reg.test_5000/key.pem"
    ))
    .success()
    .prints("600:0:0\n");

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
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    sandbox.write("key.pem", key);
    sandbox.write("cert.pem", "a certificate\n");
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
    for line in ["inspect", "inspect --format json"] {
        let shown = sandbox.buildx(line).words(&name).success();
        assert!(!shown.stdout.contains("c2VjcmV0"), "{}", shown.stdout);
    }
}
