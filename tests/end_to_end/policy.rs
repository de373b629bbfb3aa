//! An organisation's policy for drivers, including the built-in ones.

use std::os::unix::fs::symlink;

use crate::components::{digest_of, variant};
use crate::support::{Invocation, Sandbox, built_driver, container_of, inspect, machine};
use crate::web::{Page, WebServer};

const VARIABLE: &str = "IECHOR_POLICY";

/// Writes a policy, and returns a function that runs commands under it.
fn under(sandbox: &Sandbox, policy: &str, line: &str) -> Invocation {
    let path = sandbox.write("policy.toml", policy);
    sandbox.iechor(line).variable(VARIABLE, path)
}

/// Asserts that no builder can be booted under the policy, with the given reason.
#[track_caller]
fn refused(policy: &str, flags: &str, words: &[&str]) {
    let sandbox = Sandbox::new();
    let name = sandbox.name("refused");
    let mut said = under(
        &sandbox,
        policy,
        &format!("buildx create --name {name} --bootstrap {flags}"),
    )
    .failure(1);
    for words in words {
        said = said.says(words);
    }
    sandbox.assert_nothing_left();
}

#[test]
fn an_image_that_is_not_allowed_is_not_run() {
    refused(
        "[images]\nallow = ['registry.example.com/*']\n",
        "",
        &[
            "policy.toml: images.allow: image ",
            "is not among those allowed; choose one that is, or have it added there",
            "(allowed: registry.example.com/*)",
        ],
    );
    // In every spelling.
    refused(
        "[images]\nallow = ['moby/buildkit:*']\n",
        "--driver-opt image=localhost:1/moby/buildkit:latest",
        &["policy.toml: images.allow: "],
    );
}

#[test]
fn what_is_forbidden_cannot_be_granted() {
    // Missing requirements are reported before a request to the engine.
    refused(
        "[grants]\nforbid = ['container.privileged']\n",
        "",
        &["policy.toml: grants.forbid: container.privileged is forbidden, which driver"],
    );
    refused(
        "[grants]\nforbid = ['container.network=host']\n",
        "--driver-opt network=host",
        &["policy.toml: grants.forbid: container.network=host is forbidden"],
    );
}

#[test]
fn more_than_the_limit_is_refused() {
    refused(
        "[limits]\nmemory = '1g'\n",
        "--driver-opt memory=2g",
        &["policy.toml: limits.memory: a container asks for 2 GiB, and may have 1 GiB"],
    );
    refused(
        "[limits]\ncpus = 1.5\n",
        "--driver-opt cpu-quota=200000",
        &["policy.toml: limits.cpus: ", "1.5 processors"],
    );
}

#[test]
fn limits_are_forced_and_the_builder_builds() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("forced");
    let image = &machine().buildkit_image;
    let policy = format!(
        "[drivers]\nallow = ['built-in']\n[images]\nallow = ['{image}']\n\
         [limits]\nmemory = '2g'\nmemory-swap = '2g'\ncpus = 1.5\npids = 2000\n"
    );
    under(
        &sandbox,
        &policy,
        &format!("buildx create --name {name} --use --bootstrap"),
    )
    .success();
    let container = inspect(&container_of(&name));
    let host = &container["HostConfig"];
    assert_eq!(host["Memory"], 2_u64 << 30);
    assert_eq!(host["MemorySwap"], 2_u64 << 30);
    assert_eq!(host["CpuPeriod"], 100_000);
    assert_eq!(host["CpuQuota"], 150_000);
    assert_eq!(host["PidsLimit"], 2000);
    let context = crate::context::Context::on_base("RUN echo hello\n");
    under(
        &sandbox,
        &policy,
        &format!("buildx build {}", context.word()),
    )
    .success();

    // A later rule applies to existing builders, until it is removed.
    let later = "[images]\nallow = ['registry.example.com/*']\n";
    under(&sandbox, later, &format!("buildx build {}", context.word()))
        .failure(1)
        .says("policy.toml: images.allow: ");
    under(&sandbox, later, &format!("buildx rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_driver_that_is_not_allowed_does_not_run() {
    let digest = {
        let sandbox = Sandbox::new();
        let driver = sandbox
            .iechor("driver inspect iechor-container --format json")
            .success();
        driver.json()["Digest"].as_str().expect("text").to_owned()
    };
    let other = format!("sha256:{}", "0".repeat(64));
    let allowing = |what: &str| format!("[drivers]\nallow = ['{what}']\n");
    refused(
        &allowing(&other),
        "",
        &[
            "policy.toml: drivers.allow: driver iechor-container (built-in:iechor-container, ",
            &format!("have \"{digest}\" added there"),
        ],
    );
    let sandbox = Sandbox::new();
    for name in ["iechor-container", "docker-container"] {
        for allowed in ["built-in", "built-in:iechor-container", &digest] {
            under(
                &sandbox,
                &allowing(allowed),
                &format!("driver inspect {name}"),
            )
            .success();
        }
        under(
            &sandbox,
            &allowing("built-in:remote"),
            &format!("driver inspect {name}"),
        )
        .failure(1)
        .says("policy.toml: drivers.allow: ");
    }
}

#[test]
fn a_broken_policy_stops_every_command_that_would_run_a_driver() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("broken", "");
    let context = crate::context::Context::on_base("RUN true\n");
    let broken = "[image]\nallow = []\n[limits]\nmemory = 'much'\n";
    for line in [
        format!("buildx create --name {}", sandbox.name("more")),
        "driver inspect iechor-container".to_owned(),
        format!("buildx build {}", context.word()),
        format!("buildx stop {name}"),
        format!("buildx rm {name}"),
        "driver policy".to_owned(),
    ] {
        under(&sandbox, broken, &line)
            .failure(1)
            .says("no driver runs while the policy is broken:")
            .says("policy.toml:1:2: \"image\" is unknown; a policy has drivers, images, grants, limits")
            .says("policy.toml:4:10: limits.memory: 'much' is not a size");
    }
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    sandbox
        .iechor("driver inspect iechor-container")
        .variable(VARIABLE, sandbox.path("nowhere.toml"))
        .failure(1)
        .says("nowhere.toml: No such file")
        .says("IECHOR_POLICY names it");
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn the_rules_in_force_are_shown_and_a_file_is_checked() {
    let sandbox = Sandbox::new();
    let policy = "[images]\nallow = ['moby/buildkit:*', 'a/b']\n[drivers]\nallow = []\n\
                  [limits]\nmemory = 4294967296\n";
    let path = sandbox.write("policy.toml", policy);
    let expected = format!(
        "{}\n  drivers.allow   none\n  images.allow    moby/buildkit:*\n                  a/b\n  \
         limits.memory   4 GiB\n",
        path.display()
    );
    under(&sandbox, policy, "driver policy")
        .success()
        .prints(&expected);
    sandbox
        .iechor("driver policy policy.toml")
        .success()
        .prints(&expected.replace(&path.display().to_string(), "policy.toml"));
    let shown = under(&sandbox, policy, "driver policy --format json").success();
    let rules = &shown.json()["Files"][0]["Rules"];
    assert_eq!(rules["images.allow"][1], "a/b");
    assert_eq!(rules["drivers.allow"], serde_json::json!([]));
    let broken = sandbox.write("broken.toml", "limits = 1\n");
    sandbox
        .iechor(&format!("driver policy {}", broken.display()))
        .failure(1)
        .says("broken.toml:1:10: limits: it is of type integer, but must be a table");
}

#[test]
fn what_is_forbidden_is_shown_where_grants_are_decided() {
    let sandbox = Sandbox::new();
    let policy = "[grants]\nforbid = ['container.network=host']\n";
    under(&sandbox, policy, "driver trust iechor-container")
        .success()
        .shows("container.network=host is forbidden by ");
    let shown = under(
        &sandbox,
        policy,
        "driver inspect iechor-container --format json",
    )
    .success();
    assert_eq!(
        shown.json()["Forbidden"][0]["Rule"],
        "container.network=host"
    );
    under(&sandbox, policy, "driver inspect iechor-container")
        .success()
        .shows("Forbidden by policy:\n  container.network=host (");
}

#[test]
fn only_drivers_of_allowed_sources_are_installed_and_run() {
    let sandbox = Sandbox::new();
    let component = built_driver();
    let inside = sandbox.path("approved");
    std::fs::create_dir(&inside).expect("made");
    let approved = inside.join("driver.wasm");
    std::fs::copy(&component, &approved).expect("copied");
    let elsewhere = sandbox.path("elsewhere.wasm");
    std::fs::copy(&component, &elsewhere).expect("copied");
    // A link within the directory to a file outside.
    let link = inside.join("link.wasm");
    std::os::unix::fs::symlink(&elsewhere, &link).expect("linked");
    let policy = format!(
        "[drivers]\nallow = ['file:{}/*']\n",
        inside.canonicalize().expect("there").display()
    );
    let grants = "--grant container.privileged --grant image.pull";
    for path in [&elsewhere, &link] {
        let path = path.display();
        for line in [
            format!("driver install {path} --name mine {grants}"),
            format!("driver inspect {path}"),
            format!("driver trust {path}"),
        ] {
            under(&sandbox, &policy, &line)
                .failure(1)
                .says("policy.toml: drivers.allow: ")
                .says("elsewhere.wasm, sha256:");
        }
    }
    let line = format!("driver install {} --name mine {grants}", approved.display());
    under(&sandbox, &policy, &line).success();
    under(&sandbox, &policy, "driver verify mine").success();
    // A later rule blocks an installed driver, and the listing has the reason.
    let later = "[drivers]\nallow = ['built-in']\n";
    for line in ["driver inspect mine", "driver verify mine"] {
        under(&sandbox, later, line).failure(1);
    }
    under(&sandbox, later, "driver ls")
        .success()
        .shows("drivers.allow");
    under(&sandbox, later, "driver rm mine").success();
}

const GRANTS: &str = "--grant container.privileged --grant image.pull";

/// Returns a policy with one rule about drivers.
fn allowing(source: &str) -> String {
    format!("[drivers]\nallow = ['{source}']\n")
}

#[test]
fn a_source_is_the_address_that_is_fetched_however_it_is_written() {
    let sandbox = Sandbox::new();
    let digest = digest_of(&sandbox.write("other.wasm", variant(1)));
    let page = || Page::File(variant(1));
    let server = WebServer::start([
        ("/other.wasm", page()),
        ("/team/driver.wasm", page()),
        ("/?x.example.com/other.wasm", page()),
        ("/", page()),
    ]);
    let team = allowing(&server.url("/team/*"));
    let domain = allowing("http://*.example.com/*");
    let rule = "policy.toml: drivers.allow: ";
    for (policy, path, words) in [
        (&team, "/team/../other.wasm", rule),
        (&team, "/team/x@sha256:/../../other.wasm", rule),
        (&team, "/team/%2e%2e/other.wasm", "must not be encoded"),
        (&team, "/team/.%2E/other.wasm", "must not be encoded"),
        (&team, "/team/..\\..\\other.wasm", "a backslash"),
        (&domain, "?x.example.com/other.wasm", rule),
        (&domain, "\\x.example.com/other.wasm", "a backslash"),
        (&domain, "#x.example.com/other.wasm", "a fragment"),
    ] {
        let source = format!("{}@{digest}", server.url(path));
        let line = format!("driver install {source} --name mine {GRANTS}");
        under(&sandbox, policy, &line).failure(1).says(words);
    }
    let source = format!("{}@{digest}", server.url("/team/driver.wasm"));
    let line = format!("driver install {source} --name mine {GRANTS}");
    under(&sandbox, &team, &line).success();
    under(&sandbox, &team, "driver verify mine").success();
}

#[test]
fn a_source_is_the_file_that_is_read_whatever_leads_there() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("").canonicalize().expect("there");
    let other = sandbox.write("other.wasm", variant(1));
    let digest = digest_of(&other);
    for directory in ["approved/dir", "team", "d@sha256:x"] {
        std::fs::create_dir_all(root.join(directory)).expect("made");
    }
    sandbox.write("approved/good.wasm", variant(1));
    symlink(&other, root.join("approved/dir/driver.wasm")).expect("linked");
    sandbox.write("team/driver.wasm", variant(1));
    symlink("approved/good.wasm", root.join("d")).expect("linked");
    sandbox.write("d@sha256:x/evil.wasm", variant(1));
    let rule = |path: &str| allowing(&format!("file:{}/{path}", root.display()));
    let approved = rule("approved/*");
    for source in [
        "./approved/dir".to_owned(),
        "./approved/dir/driver.wasm".to_owned(),
        format!("./d@sha256:x/evil.wasm@{digest}"),
    ] {
        let line = format!("driver install {source} --name mine {GRANTS}");
        under(&sandbox, &approved, &line)
            .failure(1)
            .says("policy.toml: drivers.allow: ");
    }
    let line = format!("driver install ./team --name mine {GRANTS}");
    under(&sandbox, &rule("team/driver.wasm"), &line).success();
    under(
        &sandbox,
        &rule("team/driver.wasm"),
        "driver inspect ./team/driver.wasm",
    )
    .success();
}

#[test]
fn a_link_that_is_made_later_does_not_move_what_is_installed() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("").canonicalize().expect("there");
    std::fs::create_dir(root.join("approved")).expect("made");
    let good = sandbox.write("approved/good.wasm", variant(1));
    let foreign = sandbox.write("e.wasm", variant(2));
    for (name, path) in [("foreign", &foreign), ("good", &good)] {
        let path = path.display();
        sandbox
            .iechor(&format!("driver install {path} --name {name} {GRANTS}"))
            .success();
    }
    let inside = sandbox.write("approved/other.wasm", variant(2));
    let outside = sandbox.write("other.wasm", variant(1));
    for (path, target) in [(&foreign, &inside), (&good, &outside)] {
        std::fs::remove_file(path).expect("removed");
        symlink(target, path).expect("linked");
    }
    let policy = allowing(&format!("file:{}/approved/*", root.display()));
    under(&sandbox, &policy, "driver inspect foreign")
        .failure(1)
        .says("policy.toml: drivers.allow: ")
        .says("/e.wasm, sha256:");
    under(&sandbox, &policy, "driver inspect good").success();
}

#[test]
fn a_pipe_is_no_driver_and_no_policy() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("pipe.wasm");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("made");
    let path = pipe.display();
    for (line, words) in [
        (
            format!("driver install {path} --name mine"),
            "it is a named pipe, not a regular file",
        ),
        (
            format!("driver inspect {path}"),
            "it is a named pipe, not a regular file",
        ),
        (
            format!("driver policy {path}"),
            "it is a named pipe, not a regular file",
        ),
    ] {
        sandbox.iechor(&line).failure(1).says(words);
    }
    sandbox
        .iechor("driver inspect iechor-container")
        .variable(VARIABLE, &pipe)
        .failure(1)
        .says("it is a named pipe, not a regular file");
}
