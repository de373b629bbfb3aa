//! Drivers as files, and their grants.

use std::fs;

use crate::support::{Sandbox, built_driver};

/// The first bytes of a component.
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
/// The first bytes of a module.
const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

/// Returns a component that only imports an instance with the given name.
fn component_that_imports(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("short");
    let mut component = COMPONENT.to_vec();
    // Type section: one type, which is an instance without exports.
    component.extend([7, 3, 1, 0x42, 0]);
    // Import section: one import, its name, an instance of type 0.
    component.extend([10, length + 5, 1, 0, length]);
    component.extend(name.bytes());
    component.extend([5, 0]);
    component
}

#[track_caller]
fn refused(file: &str, contents: &[u8], words: &str) {
    let sandbox = Sandbox::new();
    let path = sandbox.write(file, contents);
    let name = sandbox.name("refused");
    sandbox
        .buildx(&format!("create --name {name} --driver {}", path.display()))
        .failure(1)
        .says(file)
        .says(words);
    sandbox.assert_nothing_left();
    sandbox
        .iechor(&format!("driver inspect {}", path.display()))
        .failure(1)
        .says(words);
}

#[test]
fn a_text_is_no_driver() {
    refused("text.wasm", b"hello\n", "it is not WebAssembly");
}

#[test]
fn an_empty_file_is_no_driver() {
    refused("empty.wasm", b"", "cannot be loaded");
}

#[test]
fn a_module_is_no_driver() {
    refused(
        "module.wasm",
        &MODULE,
        "it is a WebAssembly module, not a component",
    );
}

#[test]
fn a_component_cut_short_is_no_driver() {
    refused(
        "short.wasm",
        &component_that_imports("wasi:cli/run@0.2.6")[..20],
        "cannot be loaded",
    );
}

#[test]
fn a_component_that_exports_nothing_is_no_driver() {
    refused("mute.wasm", &COMPONENT, "iechor:driver");
}

#[test]
fn a_component_that_wants_files_is_no_driver() {
    let name = "wasi:filesystem/types@0.2.6";
    refused(
        "files.wasm",
        &component_that_imports(name),
        &format!("it imports {name}"),
    );
}

#[test]
fn a_component_that_wants_what_nobody_has_is_no_driver() {
    let name = "else:where/things@1.0.0";
    refused(
        "things.wasm",
        &component_that_imports(name),
        &format!("it imports {name}"),
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx(&format!(
            "create --name {} --driver ./nowhere.wasm",
            sandbox.name("lost")
        ))
        .failure(1)
        .says("./nowhere.wasm");
    sandbox.assert_nothing_left();
}

#[test]
fn an_unknown_driver_is_named_with_those_there_are() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx(&format!(
            "create --name {} --driver nope",
            sandbox.name("unknown")
        ))
        .failure(3)
        .says_line(
            r#"ERROR: unknown driver "nope"; built-in drivers: iechor-container, docker-container, iechor, docker, remote"#,
        );
    sandbox.assert_nothing_left();
}

#[test]
fn the_built_in_driver_is_inspected() {
    let sandbox = Sandbox::new();
    let driver = sandbox
        .iechor("driver inspect iechor-container --format json")
        .success()
        .json();
    assert_eq!(driver["Name"], "iechor-container");
    let names = |list: &str| -> Vec<String> {
        driver[list]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["Name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        names("Options"),
        [
            "image",
            "memory",
            "memory-swap",
            "cpu-quota",
            "cpu-period",
            "cpu-shares",
            "cpuset-cpus",
            "cpuset-mems",
            "default-load",
            "network",
            "cgroup-parent",
            "restart-policy",
            "env",
            "pull",
            "mount",
            "label",
            "gpus",
            "add-host",
            "dns",
            "dns-search",
            "dns-option",
            "ulimit",
            "security-opt",
            "insecure-registry",
            "registry-mirror",
            "ca-certs",
            "boot-timeout",
            "idle-stop",
            "transport",
            "provenance-add-gha",
            "allow-untrusted-image",
        ]
    );
    assert!(
        names("Capabilities")
            .iter()
            .any(|name| name == "container.privileged")
    );
    let imports = driver["Imports"].as_array().expect("a list");
    for import in imports {
        let import = import.as_str().expect("a name");
        for forbidden in ["filesystem", "sockets", "http"] {
            assert!(!import.contains(forbidden), "{import}");
        }
    }
    let text = sandbox
        .iechor("driver inspect iechor-container")
        .success()
        .stdout;
    for heading in ["Imports:", "Requested capabilities:", "Options:"] {
        assert!(text.lines().any(|line| line == heading), "{text}");
    }
}

#[test]
fn the_same_driver_from_a_file_has_to_be_trusted() {
    let sandbox = Sandbox::new();
    let built = built_driver();
    let path = sandbox.path("own.wasm");
    fs::copy(&built, &path).expect("copied");
    let name = sandbox.name("own");
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver {}",
            path.display()
        ))
        .failure(1)
        .says("requests capabilities that were not granted:")
        .says("--grant container.privileged");
    sandbox.assert_nothing_left();
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --use --driver {}",
            path.display()
        ))
        .words("--grant container.privileged --grant image.pull")
        .words("--grant container.network --grant container.cgroup-parent")
        .success();
    let context = crate::context::Context::on_base("RUN echo hello\n");
    sandbox
        .buildx(&format!("build {}", context.word()))
        .success();
    sandbox.buildx("rm").success();
    sandbox.assert_nothing_left();
}
