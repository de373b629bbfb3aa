//! Waits are announced, and end.

use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::proxy::SlowEngine;
use crate::support::{Sandbox, container_of, machine};

/// Longer than any command waits.
const FOR_EVER: Duration = Duration::from_secs(100_000);

/// An engine that accepts connections and never answers. It listens until the sandbox is removed.
fn silent_engine(sandbox: &Sandbox) -> String {
    let path = sandbox.home().join("silent.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || {
        let mut open = Vec::new();
        for client in listener.incoming() {
            open.push(client);
        }
    });
    format!("unix://{}", path.display())
}

/// Creates a builder at the real engine, and moves its node to another one.
fn moved(sandbox: &Sandbox, suffix: &str, endpoint: &str) -> String {
    let name = sandbox.name(suffix);
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let file = sandbox.store().join("instances").join(&name);
    let saved = std::fs::read_to_string(&file).expect("saved");
    std::fs::write(&file, saved.replace(&machine().docker_host, endpoint)).expect("written");
    name
}

#[test]
fn an_engine_that_never_answers_is_named_and_given_up() {
    let sandbox = Sandbox::new();
    let endpoint = silent_engine(&sandbox);
    let name = moved(&sandbox, "silent", &endpoint);
    for command in [
        format!("stop {name} --timeout 4s"),
        format!("rm {name} --timeout 4s"),
        "du --timeout 4s".to_owned(),
        "prune --force --timeout 4s".to_owned(),
    ] {
        let begun = Instant::now();
        sandbox
            .buildx(&command)
            .failure(if command.starts_with("rm") { 1 } else { 4 })
            .says(&format!(
                "waiting for the engine at {endpoint} to answer GET "
            ))
            .says(&format!(
                "the engine at {endpoint} did not answer within 4 s"
            ));
        assert!(begun.elapsed() < Duration::from_secs(60), "{command}");
    }
    // Listings name it as well, and show the rest.
    let listed = sandbox.buildx("ls --timeout 4s").success().says(&format!(
        "waiting for the engine at {endpoint} to answer GET "
    ));
    let listed = listed.shows(&format!("{name}0")).shows("default");
    let row = |name: &str| {
        let rows = listed.stdout.lines();
        let mut rows = rows.filter(|row| row.contains(&format!("\\_ {name}")));
        rows.next_back().expect("a row").to_owned()
    };
    assert!(row(&format!("{name}0")).contains(" error"));
    assert!(row("default").contains(" running "));
    sandbox
        .buildx(&format!("inspect {name} --timeout 4s"))
        .success()
        .says("waiting for the engine at ")
        .shows("Error:");

    // Removed by force: what may be left is named, and where.
    sandbox
        .buildx(&format!("rm --force {name} --timeout 4s"))
        .success()
        .says("WARNING: not removed, but no longer listed: ")
        .says(&format!("container {}", container_of(&name)))
        .says(&format!("volume {}_state", container_of(&name)))
        .says(&endpoint)
        .says_line(&format!("{name} removed"));
    sandbox.assert_nothing_left();
}

#[test]
fn a_listing_of_names_asks_no_engine() {
    let sandbox = Sandbox::new();
    let endpoint = silent_engine(&sandbox);
    let name = moved(&sandbox, "unasked", &endpoint);
    let begun = Instant::now();
    sandbox
        .buildx("ls --timeout 100s --format {{.Name}}")
        .success()
        .prints(&format!("{name}\ndefault\n"));
    assert!(begun.elapsed() < Duration::from_secs(50));
}

#[test]
fn no_read_rewrites_the_choice_of_a_builder() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("chosen");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    let current = sandbox.store().join("current");
    let before = std::fs::read(&current).expect("a choice");
    // Another endpoint, where the choice does not count.
    for line in ["ls", "inspect", "du", "stop"] {
        sandbox
            .buildx(line)
            .variable("DOCKER_HOST", "unix:///nonexistent.sock")
            .start()
            .finish();
        assert_eq!(std::fs::read(&current).expect("a choice"), before, "{line}");
    }
}

#[test]
fn what_answers_soon_is_not_announced() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("soon");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success()
        .does_not_say("waiting for");
    sandbox.buildx("ls").success().does_not_say("waiting for");
}

#[test]
fn a_slow_removal_is_announced() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), Duration::from_secs(5));
    let name = sandbox.name("slow");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver iechor-container --bootstrap {}",
            engine.endpoint()
        ))
        .success();
    sandbox
        .buildx(&format!("rm {name}"))
        .success()
        .says(&format!(
            "waiting for the engine at {} to answer DELETE ",
            engine.endpoint()
        ));
    sandbox.assert_nothing_left();
}

#[test]
fn a_lock_that_another_process_holds_is_announced() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("locked");
    sandbox.buildx(&format!("create --name {name}")).success();
    let lock = sandbox.store().join(".lock");
    let holder = std::fs::File::open(&lock).expect("the lock");
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    let mut choice = sandbox.buildx(&format!("use {name}")).start();
    let text = format!(
        "waiting for another process to release the lock {}",
        lock.display()
    );
    choice.wait_until_it_says(&text);
    drop(holder);
    choice.finish().success();
}

#[test]
fn two_removals_of_a_builder_both_succeed() {
    let sandbox = Sandbox::new();
    let engine = SlowEngine::start(&sandbox.home(), FOR_EVER);
    let name = sandbox.name("twice");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver iechor-container --bootstrap {}",
            engine.endpoint()
        ))
        .success();
    let mut first = sandbox.buildx(&format!("rm {name}")).start();
    first.wait_until_it_says("to answer DELETE ");
    let mut second = sandbox.buildx(&format!("rm {name}")).start();
    let text = format!("waiting for another process to remove builder {name}");
    second.wait_until_it_says(&text);
    engine.set_delay(Duration::ZERO);
    for removal in [first, second] {
        removal
            .finish()
            .success()
            .says_line(&format!("{name} removed"));
    }
    sandbox.assert_nothing_left();
}
