//! Grants of the user: confirmed at a terminal, refused without a terminal, changed later.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::components::{
    GRANTS, component, components, digest_of, installed, listed, named_flags, patched, team,
    variant,
};
use crate::context::Context;
use crate::support::{Sandbox, built_component, docker};

#[test]
fn without_a_terminal_the_refusal_names_the_flags_that_suffice() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    let install = "driver install ./team.wasm --name team";
    let refused = sandbox
        .iechor(install)
        .failure(1)
        .prints("")
        .says("driver team requests capabilities that were not granted:")
        .says("container.privileged: BuildKit mounts file systems");
    assert!(components(&sandbox).is_empty());
    assert!(listed(&sandbox, "team").is_none());
    let flags = named_flags(&refused);
    assert_eq!(flags, GRANTS);
    sandbox
        .iechor(install)
        .words(&flags)
        .success()
        .prints("team\n")
        .says("not granted (optional): container.network");
    let driver = listed(&sandbox, "team").expect("listed");
    assert_eq!(driver["Status"], "ok");
    assert_eq!(driver["Digest"], digest_of(&component(&sandbox)).as_str());
    // The path is absolute, so the working directory of the next command does not matter.
    let source = driver["Source"].as_str().expect("a source");
    assert!(Path::new(source).is_absolute(), "{source}");
}

#[test]
fn nobody_is_asked_to_grant_what_there_is_not() {
    let sandbox = Sandbox::new();
    let misspelt = patched(&variant(1), "container.privileged", "container.priviledge");
    sandbox.write("team.wasm", misspelt);
    for command in [
        "driver install ./team.wasm --name team".to_owned(),
        format!(
            "buildx create --name {} --driver ./team.wasm",
            sandbox.name("b")
        ),
    ] {
        sandbox
            .iechor(&command)
            .failure(1)
            .says("requires capabilities that this program does not have")
            .says("there is no capability \"container.priviledge\"; did you mean container.privileged?")
            .does_not_say("--grant");
    }
    let refused = sandbox
        .iechor("driver install ./team.wasm --name team")
        .start_at_terminal()
        .finish()
        .failure(1);
    let shown = refused.transcript();
    assert!(!shown.contains("Grant it?"), "{shown}");
    assert!(listed(&sandbox, "team").is_none());
}

#[test]
fn at_a_terminal_the_dangerous_is_asked_about_first() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    let mut asked = sandbox
        .iechor("driver install ./team.wasm --name team")
        .start_at_terminal();
    asked.wait_until_it_says("container.privileged for any (required, HIGH RISK)");
    asked.wait_until_it_says("BuildKit mounts file systems");
    asked.wait_until_it_says("Grant it? [y/N]");
    asked.type_in("y\n");
    asked.wait_until_it_says("container.network for any (optional, HIGH RISK)");
    asked.type_in("n\n");
    asked.wait_until_it_says("container.bind for any (optional, HIGH RISK)");
    asked.type_in("n\n");
    asked.wait_until_it_says("container.devices for any (optional, HIGH RISK)");
    asked.type_in("n\n");
    asked.wait_until_it_says("image.pull for any (required)");
    asked.type_in("y\n");
    asked.wait_until_it_says("direct.connect for any (optional)");
    asked.type_in("\n");
    asked.wait_until_it_says("container.cgroup-parent for any (optional)");
    asked.type_in("\n");
    asked.wait_until_it_says("engine.load for any (optional)");
    // The program explains the grant; the driver gives the reason.
    asked.wait_until_it_says("This allows: builds without an output are loaded into the engine");
    asked.wait_until_it_says("Reason given by the driver: the option default-load");
    asked.type_in("n\n");
    asked.finish().success();
    let grants = sandbox.iechor("driver trust team --format json").success();
    let grants = grants.json()["Grants"].take();
    assert_eq!(
        grants,
        serde_json::json!(["container.privileged", "image.pull"])
    );
}

#[test]
fn what_amounts_to_everything_is_asked_about_as_any() {
    let sandbox = Sandbox::new();
    let team = fs::read(team()).expect("built");
    // Anybody with a registry can offer that image.
    let from = "moby/buildkit:buildx-stable-1";
    let to = "*/buildkit-of-somebody-else:*";
    sandbox.write("team.wasm", patched(&team, from, to));
    let mut asked = sandbox
        .iechor("driver install ./team.wasm --name team")
        .start_at_terminal();
    asked.wait_until_it_says("container.privileged for any (required, HIGH RISK)");
    asked.type_in("n\n");
    asked.finish().failure(1);
}

#[test]
fn a_stored_grant_whose_pattern_is_none_is_told_and_can_be_taken_back() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let lock = sandbox.store().join("drivers/drivers.lock");
    let text = fs::read_to_string(&lock).expect("there");
    let old = text.replace("\"image.pull\"", "\"image.pull=moby*/x\"");
    assert_ne!(old, text);
    fs::write(&lock, old).expect("written");
    let why = "\"moby*/x\" is no pattern for image.pull";
    sandbox
        .iechor("driver verify team --offline")
        .failure(1)
        .says("1 driver failed verification");
    sandbox
        .iechor("driver trust team")
        .success()
        .says("the grant image.pull=moby*/x has no effect")
        .says(why);
    let driver = listed(&sandbox, "team").expect("listed");
    assert_eq!(driver["Status"], "untrusted");
    sandbox
        .iechor("driver trust team --grant image.pull=moby*/x")
        .failure(1)
        .says(why);
    sandbox
        .iechor("driver trust team --revoke image.pull=moby*/x --grant image.pull")
        .success()
        .does_not_say("has no effect");
    sandbox.iechor("driver verify team --offline").success();
}

#[test]
fn results_are_loaded_by_default_only_where_that_is_granted() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let name = sandbox.name("loads");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver team --use --driver-opt default-load=true --bootstrap"
        ))
        .success()
        // The names of its steps contain the name of the driver.
        .says("[driver team] creating container");
    let tag = sandbox.name("loaded:1");
    let context = Context::on_base("CMD [\"echo\", \"loaded\"]\n");
    let build = format!("build -t {tag} {}", context.word());
    sandbox
        .buildx(&build)
        .success()
        .says("Driver team may not load results into the engine by itself: it was not granted");
    docker(&format!("image inspect {tag}")).failure(1);
    // An explicit flag of the user needs no grant.
    sandbox.buildx(&build).words("--load").success();
    docker(&format!("rmi {tag}")).success();
    sandbox
        .iechor("driver trust team --grant engine.load")
        .success();
    sandbox
        .buildx(&build)
        .success()
        .does_not_say("may not load");
    docker(&format!("rmi {tag}")).success();
    let policy = sandbox.write("policy.toml", "[grants]\nforbid = ['engine.load']\n");
    sandbox
        .buildx(&build)
        .variable("IECHOR_POLICY", policy)
        .success()
        .says("grants.forbid: engine.load is forbidden");
    docker(&format!("image inspect {tag}")).failure(1);
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.assert_nothing_left();
}

#[test]
fn what_is_denied_or_given_up_is_not_installed() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    let install = || {
        let mut asked = sandbox
            .iechor("driver install ./team.wasm --name team")
            .start_at_terminal();
        asked.wait_until_it_says("Grant it? [y/N]");
        asked
    };
    let mut denied = install();
    denied.type_in("n\n");
    denied
        .finish()
        .failure(1)
        .says("team requires container.privileged, which was not granted");
    let mut interrupted = install();
    // Ctrl-C, as a terminal sends it.
    interrupted.type_in("\x03");
    interrupted.finish().failure(130);
    for signal in [Signal::TERM, Signal::HUP] {
        let ended = install();
        ended.signal_command(signal);
        ended.finish().failure(130);
    }
    install().close_terminal();
    assert!(components(&sandbox).is_empty());
    assert!(listed(&sandbox, "team").is_none());
}

#[test]
fn grants_are_shown_given_and_taken_back() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    sandbox
        .iechor("driver trust team --grant engine.open")
        .failure(1)
        .says("driver team does not request engine.open");
    sandbox
        .iechor("driver trust team --revoke image.pull")
        .success();
    let driver = listed(&sandbox, "team").expect("listed");
    assert_eq!(driver["Status"], "untrusted");
    assert_eq!(driver["Missing"], serde_json::json!(["image.pull"]));
    let create = format!("create --name {} --driver team", sandbox.name("b"));
    sandbox
        .buildx(&create)
        .failure(1)
        .says("image.pull: the image that BuildKit runs from");
    sandbox
        .iechor("driver trust team --revoke image.pull")
        .failure(1)
        .says("image.pull was not granted; the grants are: container.privileged");
    sandbox
        .iechor("driver trust team --grant image.pull=moby/*")
        .success();
    sandbox.buildx(&create).success();
    // Revoked from a driver that is in use; the message states how to continue.
    sandbox
        .iechor("driver trust team --revoke image.pull=moby/*")
        .success();
    sandbox
        .buildx(&format!("stop {}", sandbox.name("b")))
        .failure(1)
        .says("to grant it, run: iechor driver trust team --grant image.pull");
    sandbox
        .iechor("driver trust iechor-container --revoke image.pull")
        .failure(1)
        .says("built in");
}

#[test]
fn an_update_asks_only_about_what_is_new() {
    let sandbox = Sandbox::new();
    let file = installed(&sandbox);
    let old = digest_of(&file);
    // A different driver: it requests access to the engine, and no privileged containers.
    fs::copy(built_component("iechor_driver_engine.wasm"), &file).expect("copied");
    let new = digest_of(&file);
    let refused = sandbox
        .iechor("driver update team")
        .failure(1)
        .prints("")
        .says(&format!("{old} -> {new}"))
        .says("engine.open: ");
    assert_eq!(named_flags(&refused), "--grant engine.open");
    let digest = || listed(&sandbox, "team").expect("listed")["Digest"].take();
    assert_eq!(digest(), old.as_str());
    sandbox
        .iechor("driver update team --grant engine.open")
        .success()
        .prints("team\n");
    assert_eq!(digest(), new.as_str());
    let trusted = || {
        let trusted = sandbox.iechor("driver trust team --format json").success();
        trusted.json()["Grants"].take()
    };
    assert_eq!(trusted(), serde_json::json!(["engine.open"]));

    // A new digest with the same requests needs no confirmation.
    let mut bytes = fs::read(&file).expect("there");
    bytes.extend([0, 2, 1, b'v']);
    fs::write(&file, bytes).expect("written");
    sandbox.iechor("driver update team").success();
    assert_ne!(digest(), new.as_str());
    assert_eq!(trusted(), serde_json::json!(["engine.open"]));

    // Back to the digest that was trusted before, which requests more.
    sandbox.write("team.wasm", variant(1));
    let mut asked = sandbox.iechor("driver update team").start_at_terminal();
    asked.wait_until_it_says("container.privileged for any (required, HIGH RISK)");
    asked.type_in("n\n");
    asked
        .finish()
        .failure(1)
        .says("team requires container.privileged, which was not granted; nothing was changed");
    assert_eq!(trusted(), serde_json::json!(["engine.open"]));
}

/// Returns the grants of the driver.
#[track_caller]
fn granted(sandbox: &Sandbox, driver: &str) -> serde_json::Value {
    let trusted = sandbox
        .iechor(&format!("driver trust {driver} --format json"))
        .success();
    trusted.json()["Grants"].take()
}

#[test]
fn what_one_command_takes_back_another_does_not_give_again() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    for round in 0..6 {
        sandbox
            .iechor("driver trust team --grant container.network")
            .success();
        let running = [
            "--revoke container.network".to_owned(),
            format!("--grant image.pull={round}"),
        ]
        .map(|change| {
            sandbox
                .iechor(&format!("driver trust team {change}"))
                .start()
        });
        for running in running {
            running.finish().success();
        }
        let granted = granted(&sandbox, "team");
        let granted: Vec<_> = granted.as_array().expect("a list").iter().collect();
        assert!(
            !granted.contains(&&"container.network".into()),
            "{granted:?}"
        );
        let given = format!("image.pull={round}");
        assert!(granted.contains(&&given.into()), "{granted:?}");
    }
}

#[test]
fn nothing_is_granted_to_a_driver_that_is_removed_meanwhile() {
    let sandbox = Sandbox::new();
    for _ in 0..6 {
        installed(&sandbox);
        let trusting = sandbox
            .iechor("driver trust team --grant container.network")
            .start();
        sandbox.iechor("driver rm team").success();
        // The error comes before the removal.
        trusting.finish();
        let lock = fs::read_to_string(sandbox.store().join("drivers/drivers.lock"));
        let lock = lock.expect("there");
        assert!(!lock.contains("[[trust]]"), "{lock}");
    }
}

#[test]
fn a_builder_that_is_not_made_grants_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("own.wasm", variant(1));
    let create = format!(
        "create --name {} --driver ./own.wasm {GRANTS}",
        sandbox.name("b")
    );
    for (more, words) in [
        ("--driver-opt bogus=1", "bogus"),
        // No server listens there.
        ("unix:///nowhere.sock", "nowhere.sock"),
        (
            "--bootstrap --driver-opt image=localhost:1/none",
            "localhost:1/none",
        ),
    ] {
        sandbox
            .buildx(&format!("{create} {more}"))
            .failure(if words == "nowhere.sock" { 4 } else { 1 })
            .says(words);
        assert_eq!(granted(&sandbox, "./own.wasm"), serde_json::json!([]));
    }
    sandbox.buildx(&create).success();
    assert_eq!(
        granted(&sandbox, "./own.wasm"),
        serde_json::json!(["container.privileged", "image.pull"])
    );
}

#[test]
fn what_the_policy_makes_useless_is_not_called_ok() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let policy = sandbox.write(
        "policy.toml",
        "[grants]\nforbid = ['container.privileged']\n",
    );
    let under = |command: &str| sandbox.iechor(command).variable("IECHOR_POLICY", &policy);
    let words = "container.privileged is forbidden, which driver";
    let table = under("driver ls").success().stdout;
    for driver in ["iechor-container", "team"] {
        let row = table.lines().find(|line| line.starts_with(driver));
        assert!(row.is_some_and(|row| row.contains(words)), "{table}");
    }
    let verified = under("driver verify --offline").failure(1).stdout;
    assert!(verified.contains(words), "{verified}");
    let trusted = under("driver trust team --format json").success();
    let trusted = trusted.json();
    let forbidden = |name: &str| {
        let requests = trusted["Requests"].as_array().expect("a list");
        let request = requests.iter().find(|request| request["Name"] == name);
        request.expect("asked for")["Forbidden"].clone()
    };
    assert_eq!(
        forbidden("container.privileged"),
        serde_json::json!({
            "File": policy.display().to_string(),
            "Rule": "container.privileged",
        })
    );
    assert_eq!(forbidden("image.pull"), serde_json::Value::Null);
}

#[test]
fn an_update_gives_what_it_is_told_to_and_says_what_it_carries_over() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    sandbox
        .iechor("driver update team --grant engine.open")
        .failure(1)
        .says("driver team does not request engine.open");
    sandbox
        .iechor("driver update team --grant image.pull=a")
        .success()
        .prints("")
        .says("team is up to date")
        .says("granted to team: image.pull=a");
    assert_eq!(
        granted(&sandbox, "team"),
        serde_json::json!(["container.privileged", "image.pull", "image.pull=a"])
    );
    sandbox
        .iechor("driver trust team --revoke container.privileged --grant container.privileged")
        .success();
    sandbox.write("team.wasm", variant(2));
    sandbox
        .iechor("driver update team")
        .success()
        .says("team keeps: container.privileged, image.pull, image.pull=a\n");
}
