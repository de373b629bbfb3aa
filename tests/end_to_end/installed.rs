//! Drivers that are installed: what the user decides, and what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Finished, Sandbox, built_driver};

/// What the built-in driver needs, granted to a copy of it.
pub const GRANTS: &str = "--grant container.privileged --grant image.pull";

/// A driver that behaves like the built-in one and has a digest of its own: a custom section more.
pub fn variant(number: u8) -> Vec<u8> {
    let mut component = fs::read(built_driver()).expect("built");
    component.extend([0, 3, 1, b'v', number]);
    component
}

/// Replaces words of a component by others of the same length.
fn patched(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component.to_vec();
    let places: Vec<_> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{from} is not in the component");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// The digest of a file, as another program computes it.
pub fn digest_of(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).output().expect("runs");
    let text = String::from_utf8(said.stdout).expect("text");
    format!("sha256:{}", text.split(' ').next().expect("a digest"))
}

/// Installs a variant as `team`; returns the file it came from.
#[track_caller]
fn installed(sandbox: &Sandbox) -> PathBuf {
    let file = sandbox.write("team.wasm", variant(1));
    sandbox
        .iechor(&format!("driver install ./team.wasm --name team {GRANTS}"))
        .success()
        .prints("team\n");
    file
}

/// The driver of that name as `driver ls` lists it.
#[track_caller]
pub fn listed(sandbox: &Sandbox, name: &str) -> Option<Value> {
    let listed = sandbox.iechor("driver ls --format json").success();
    listed
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .find(|driver| driver["Name"] == name)
}

/// The components in the store.
fn components(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.store().join("drivers/components"));
    entries
        .map(|entries| {
            entries
                .map(|entry| entry.expect("readable").path())
                .collect()
        })
        .unwrap_or_default()
}

/// The only component in the store.
#[track_caller]
fn component(sandbox: &Sandbox) -> PathBuf {
    let found = components(sandbox);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

/// The flags that a refusal names.
#[track_caller]
pub fn named_flags(refusal: &Finished) -> String {
    let line = refusal
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("to grant it, add: "));
    line.unwrap_or_else(|| panic!("no flags in {}", refusal.transcript()))
        .to_owned()
}

#[test]
fn without_a_terminal_the_refusal_names_the_flags_that_suffice() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    let install = "driver install ./team.wasm --name team";
    let refused = sandbox
        .iechor(install)
        .failure(1)
        .prints("")
        .says("driver team is not trusted with what it asks for:")
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
        .says("not granted, and not needed: container.network");
    let driver = listed(&sandbox, "team").expect("listed");
    assert_eq!(driver["Status"], "ok");
    assert_eq!(driver["Digest"], digest_of(&component(&sandbox)).as_str());
    // Absolute, wherever the next command runs.
    let source = driver["Source"].as_str().expect("a source");
    assert!(Path::new(source).is_absolute(), "{source}");
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
    asked.wait_until_it_says("grant it? [y/N]");
    asked.type_in("y\n");
    asked.wait_until_it_says("container.network for any (optional, HIGH RISK)");
    asked.type_in("n\n");
    asked.wait_until_it_says("image.pull for any (required)");
    asked.type_in("y\n");
    asked.wait_until_it_says("container.cgroup-parent for any (optional)");
    asked.type_in("\n");
    asked.finish().success();
    let grants = sandbox.iechor("driver trust team --format json").success();
    let grants = grants.json()["Grants"].take();
    assert_eq!(
        grants,
        serde_json::json!(["container.privileged", "image.pull"])
    );
}

#[test]
fn what_is_denied_or_given_up_is_not_installed() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    let install = || {
        let mut asked = sandbox
            .iechor("driver install ./team.wasm --name team")
            .start_at_terminal();
        asked.wait_until_it_says("grant it? [y/N]");
        asked
    };
    let mut denied = install();
    denied.type_in("n\n");
    denied
        .finish()
        .failure(1)
        .says("team needs container.privileged, which was not granted");
    let mut interrupted = install();
    // Ctrl-C, as a terminal sends it.
    interrupted.type_in("\x03");
    interrupted.finish().failure(130);
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
        .says("driver team does not ask for engine.open");
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
        .says("image.pull was not granted; what was granted is: container.privileged");
    sandbox
        .iechor("driver trust team --grant image.pull=moby/*")
        .success();
    sandbox.buildx(&create).success();
    // Taken back from a driver that is in use, which says how to go on.
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
        .failure(1)
        .says("installed are: team");
    component(&sandbox);
}

#[test]
fn a_driver_that_is_used_is_not_removed() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let name = sandbox.name("b");
    let create = format!("create --name {name} --driver team --bootstrap");
    // Optional, and wanted all the same where the engine manages cgroups itself.
    sandbox
        .buildx(&create)
        .failure(1)
        .says("container.cgroup-parent is not granted")
        .says("`iechor driver trust team`");
    sandbox
        .iechor("driver trust team --grant container.cgroup-parent")
        .success();
    sandbox.buildx(&create).success();
    sandbox
        .iechor("driver rm team")
        .failure(1)
        .says(&format!("driver team is used by {name}"));
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox.iechor("driver rm team").success().prints("team\n");
    assert!(listed(&sandbox, "team").is_none());
    assert!(components(&sandbox).is_empty());
    sandbox.assert_nothing_left();
    // Nothing of its grants is left for one that comes back.
    sandbox
        .iechor("driver install ./team.wasm --name team")
        .failure(1)
        .says("is not trusted");
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
        .says(&format!("it is used from now on by {name}"));
    component(&sandbox);
    let said = sandbox.buildx("ls").success();
    let change = format!("{old} -> {new}");
    assert_eq!(said.stderr.matches(&change).count(), 1, "{}", said.stderr);
    // The command that it names, word by word.
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
        .says("is not trusted with what it asks for")
        .says(&format!("iechor driver trust {} {GRANTS}", file.display()));
    sandbox
        .iechor(&format!("driver trust {} {GRANTS}", file.display()))
        .success();
    sandbox
        .buildx(&format!("stop {name}"))
        .success()
        .says(&format!("{old} -> {new}"));
    // Pinned, it is that one or none.
    sandbox
        .buildx(&format!(
            "create --name {} --driver ./own.wasm@{old}",
            sandbox.name("pinned")
        ))
        .failure(1)
        .says(&format!("has the digest {new}, not {old}"));
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
    sandbox
        .buildx(&format!("stop {name}"))
        .failure(1)
        .says(&format!("not {old} as was asked for"));
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

    // As after a change of the program: the driver is what it was, and of another contract.
    let foreign = patched(
        &right,
        "iechor:driver/driver@0.1",
        "iechor:driver/driver@0.9",
    );
    fs::write(&file, foreign).expect("written");
    let lock = sandbox.store().join("drivers/drivers.lock");
    let text = fs::read_to_string(&lock).expect("there");
    let other = digest_of(&file);
    fs::write(&lock, text.replace(&digest, &other)).expect("written");
    let moved = file.with_file_name(format!("{}.wasm", &other["sha256:".len()..]));
    fs::rename(&file, moved).expect("moved");
    reason("was made for version 0.9.0 of the contract");
    reason("it needs a newer iechor");

    // Its old grants were for a driver that cannot say any more what it asked for.
    sandbox
        .iechor("driver update team")
        .failure(1)
        .says("is not trusted");
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
fn a_broken_lock_file_is_named_and_spares_the_built_in_driver() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    fs::write(sandbox.store().join("drivers/drivers.lock"), "what?").expect("written");
    sandbox.iechor("driver ls").failure(1).says("drivers.lock");
    let name = sandbox.name("b");
    sandbox.buildx(&format!("create --name {name}")).success();
    sandbox
        .buildx(&format!(
            "create --name {} --driver team",
            sandbox.name("c")
        ))
        .failure(1)
        .says("drivers.lock");
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
    // Of those that want one name, one gets it.
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
        .says("there are table, json, and templates");
}
