//! Installed drivers: using, changing, damaging and removing them.

use std::fs;

use crate::components::{
    GRANTS, component, components, digest_of, installed, listed, patched, variant,
};
use crate::support::Sandbox;

#[test]
fn names_belong_to_one_driver() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    sandbox.write("other.wasm", variant(2));
    sandbox
        .iechor(&format!("driver install ./other.wasm {GRANTS}"))
        .failure(1)
        .says("a driver named iechor-container is built in");
    sandbox
        .iechor(&format!(
            "driver install ./other.wasm --name docker-container {GRANTS}"
        ))
        .failure(1)
        .says("a driver named docker-container is built in");
    sandbox
        .iechor(&format!("driver install ./other.wasm --name Team {GRANTS}"))
        .failure(1)
        .says("a driver named team is installed");
    sandbox
        .iechor("driver rm iechor-container")
        .failure(1)
        .says("is built in");
    sandbox
        .iechor("driver rm nobody")
        .failure(3)
        .says("installed drivers: team");
    component(&sandbox);
}

#[test]
fn a_driver_that_is_used_is_not_removed() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let name = sandbox.name("b");
    sandbox
        .buildx(&format!("create --name {name} --driver team --bootstrap"))
        .success()
        // Optional, and not requested by the user.
        .says("using the engine's own parent cgroup: container.cgroup-parent is not granted");
    sandbox
        .iechor("driver rm team")
        .failure(1)
        .says(&format!("driver team is used by {name}"));
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.iechor("driver rm team").success().prints("team\n");
    assert!(listed(&sandbox, "team").is_none());
    assert!(components(&sandbox).is_empty());
    sandbox.assert_nothing_left();
    // A driver that is installed again does not get the old grants.
    sandbox
        .iechor("driver install ./team.wasm --name team")
        .failure(1)
        .says("were not granted");
}

#[test]
fn a_builder_says_once_that_its_driver_changed_until_that_is_accepted() {
    let sandbox = Sandbox::new();
    let file = installed(&sandbox);
    let name = sandbox.name("b");
    sandbox
        .buildx(&format!("create --name {name} --driver team"))
        .success();
    let old = digest_of(&file);
    sandbox.write("team.wasm", variant(2));
    let new = digest_of(&file);
    sandbox
        .iechor("driver update")
        .success()
        .prints("team\n")
        .says(&format!("{old} -> {new}"))
        .says(&format!("builders that use it from now on: {name}"));
    component(&sandbox);
    let said = sandbox.buildx("ls").success();
    let change = format!("{old} -> {new}");
    assert_eq!(said.stderr.matches(&change).count(), 1, "{}", said.stderr);
    // Run exactly the command in the message.
    let accept = said
        .stderr
        .split('`')
        .nth(1)
        .and_then(|command| command.strip_prefix("iechor "))
        .expect("a command");
    sandbox.iechor(accept).success().does_not_say(&change);
    sandbox.buildx("ls").success().does_not_say("changed since");
    sandbox
        .iechor("driver update team")
        .success()
        .prints("")
        .says("team is up to date");
}

#[test]
fn a_file_that_was_built_anew_is_a_driver_that_nobody_trusted() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("own.wasm", variant(1));
    let name = sandbox.name("b");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver ./own.wasm {GRANTS}"
        ))
        .success();
    let old = digest_of(&file);
    sandbox.write("own.wasm", variant(2));
    let new = digest_of(&file);
    sandbox
        .buildx(&format!("stop {name}"))
        .failure(1)
        .says(&format!("{old} -> {new}"))
        .says("requests capabilities that were not granted")
        .says(&format!("iechor driver trust {} {GRANTS}", file.display()));
    sandbox
        .iechor(&format!("driver trust {} {GRANTS}", file.display()))
        .success();
    sandbox
        .buildx(&format!("stop {name}"))
        .success()
        .says(&format!("{old} -> {new}"));
    // A pinned driver is used with this digest or not at all.
    sandbox
        .buildx(&format!(
            "create --name {} --driver ./own.wasm@{old}",
            sandbox.name("pinned")
        ))
        .failure(1)
        .says(&format!("has the digest {new}, but {old} was requested"));
}

#[test]
fn a_pinned_name_is_that_driver_and_no_other() {
    let sandbox = Sandbox::new();
    let file = installed(&sandbox);
    let old = digest_of(&file);
    let name = sandbox.name("pinned");
    sandbox
        .buildx(&format!("create --name {name} --driver team@{old}"))
        .success();
    sandbox
        .iechor(&format!("driver inspect team@{old}"))
        .success();
    sandbox.iechor("driver rm team").failure(1).says(&name);
    sandbox.write("team.wasm", variant(2));
    sandbox.iechor("driver update").success();
    // It still exists, and no other component is used instead.
    let digest = |driver: &str| {
        let inspected = sandbox.iechor(&format!("driver inspect {driver} --format json"));
        inspected.success().json()["Digest"].take()
    };
    assert_eq!(digest(&format!("team@{old}")), old.as_str());
    assert_ne!(digest("team"), old.as_str());
    sandbox.buildx(&format!("stop {name}")).success();
}

#[test]
fn broken_drivers_are_listed_with_the_reason_and_can_be_mended() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let file = component(&sandbox);
    let right = fs::read(&file).expect("stored");
    let digest = digest_of(&file);
    sandbox.iechor("driver verify").success();

    let reason = |words: &str| {
        let driver = listed(&sandbox, "team").expect("listed");
        assert_eq!(driver["Status"], "broken");
        let reason = driver["Err"].as_str().expect("a reason").to_owned();
        assert!(reason.contains(words), "{reason}");
        let table = sandbox.iechor("driver ls").success().stdout;
        let row = table.lines().find(|line| line.starts_with("team"));
        assert!(row.is_some_and(|row| row.contains(words)), "{table}");
        let verified = sandbox.iechor("driver verify team").failure(1);
        assert!(verified.stdout.contains(words), "{}", verified.stdout);
        let create = format!("create --name {} --driver team", sandbox.name("b"));
        sandbox.buildx(&create).failure(1).says(words);
    };
    fs::remove_file(&file).expect("there");
    reason("No such file");
    fs::write(&file, patched(&right, "BuildKit", "BuildKat")).expect("written");
    reason("was changed after it was installed");

    // As after an update of the program: the driver is unchanged, but has another contract version.
    let foreign = patched(
        &right,
        "iechor:driver/driver@0.2",
        "iechor:driver/driver@0.9",
    );
    fs::write(&file, foreign).expect("written");
    let lock = sandbox.store().join("drivers/drivers.lock");
    let text = fs::read_to_string(&lock).expect("there");
    let other = digest_of(&file);
    fs::write(&lock, text.replace(&digest, &other)).expect("written");
    let moved = file.with_file_name(format!("{}.wasm", &other["sha256:".len()..]));
    fs::rename(&file, moved).expect("moved");
    reason("was built for version 0.9.1 of the contract");
    reason("it needs a newer iechor");

    // The requests of the old driver cannot be read any more.
    sandbox
        .iechor("driver update team")
        .failure(1)
        .says("were not granted");
    sandbox
        .iechor(&format!("driver update team {GRANTS}"))
        .success()
        .prints("team\n");
    assert_eq!(listed(&sandbox, "team").expect("listed")["Status"], "ok");
    sandbox.iechor("driver verify").success();
}

#[test]
fn a_component_that_is_gone_is_fetched_again_with_its_grants() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    fs::remove_file(component(&sandbox)).expect("there");
    sandbox.iechor("driver update").success().prints("team\n");
    assert_eq!(listed(&sandbox, "team").expect("listed")["Status"], "ok");
}

#[test]
fn two_that_install_at_the_same_time_both_succeed() {
    let sandbox = Sandbox::new();
    let names: Vec<_> = (1..=4).map(|number| format!("team{number}")).collect();
    let running: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| {
            sandbox.write(&format!("{name}.wasm"), variant(number));
            sandbox
                .iechor(&format!(
                    "driver install ./{name}.wasm --name {name} {GRANTS}"
                ))
                .start()
        })
        .collect();
    for running in running {
        running.finish().success();
    }
    for name in &names {
        assert_eq!(listed(&sandbox, name).expect("listed")["Status"], "ok");
    }
    assert_eq!(components(&sandbox).len(), names.len());
    // Of several installations under one name, one succeeds.
    let running: Vec<_> = names
        .iter()
        .map(|name| {
            sandbox
                .iechor(&format!(
                    "driver install ./{name}.wasm --name same {GRANTS}"
                ))
                .start()
        })
        .collect();
    let finished: Vec<_> = running
        .into_iter()
        .map(|running| running.finish())
        .collect();
    let installed = finished.iter().filter(|done| done.stdout == "same\n");
    assert_eq!(installed.count(), 1);
    for refused in finished.iter().filter(|done| done.stdout.is_empty()) {
        let said = &refused.stderr;
        assert!(said.contains("a driver named same is installed"), "{said}");
    }
}

#[test]
fn listings_are_for_people_programs_and_templates() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let table = sandbox.iechor("driver ls").success().stdout;
    let header: Vec<_> = table
        .lines()
        .next()
        .expect("a header")
        .split_whitespace()
        .collect();
    assert_eq!(header, ["NAME", "VERSION", "SOURCE", "DIGEST", "STATUS"]);
    let names = sandbox
        .iechor("driver ls --format {{.Name}}:{{.Status}}")
        .success()
        .stdout;
    let names: Vec<_> = names.lines().collect();
    assert!(names.contains(&"iechor-container:ok"), "{names:?}");
    assert_eq!(names.last(), Some(&"team:ok"));
    sandbox
        .iechor("driver ls --format yaml")
        .failure(1)
        .says("expected table, json, or a Go template");
}
