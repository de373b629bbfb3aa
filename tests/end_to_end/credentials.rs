//! Access to registries during a build: tokens, passwords, and where they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::authority::{Authority, IDENTITY};
use crate::context::Context;
use crate::daemon::Daemon;
use crate::recorder::Recorder;
use crate::registry::{PASSWORD, Registry, USER};
use crate::support::{Finished, Invocation, Sandbox};

/// The users of an authority.
const USERS: &[(&str, &str)] = &[
    (USER, PASSWORD),
    ("team", "password-of-the-team"),
    ("app", "password-of-the-app"),
];

/// A sandbox with a builder that can connect to servers on this machine.
fn near() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.booted("near", "--driver-opt network=host");
    sandbox
}

fn login(user: &str, password: &str) -> Value {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    json!({"auth": text})
}

/// The configuration of a user who is logged in at a registry.
fn logged_in(registry: &Registry) -> Value {
    json!({"auths": {registry.address(): login(USER, PASSWORD)}})
}

/// Returns a command that pushes an image to a repository.
fn push(sandbox: &Sandbox, registry: &Registry, repository: &str) -> Invocation {
    let context = sandbox.path("context");
    fs::create_dir_all(&context).expect("made");
    fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY Dockerfile /\n",
    )
    .expect("written");
    sandbox
        .buildx("build --progress plain --push --tag")
        .argument(format!("{}/{repository}:1", registry.address()))
        .argument(context)
}

/// Asserts that nothing of the output is a password.
#[track_caller]
fn without_passwords(finished: Finished) -> Finished {
    for (_, password) in USERS {
        let text = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!text.contains(password), "{text}");
    }
    finished
}

/// A BuildKit near this machine behind a relay, which is the current builder of a sandbox.
fn recorded() -> (Sandbox, Daemon, Recorder) {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start_near(&sandbox);
    let (inner, outer) = (sandbox.path("daemon.sock"), sandbox.path("recorded.sock"));
    daemon.on_socket(&inner);
    let recorder = Recorder::start(&outer, inner);
    sandbox.remote("recorded", &outer);
    (sandbox, daemon, recorder)
}

#[test]
fn a_daemon_gets_a_token_and_not_the_password() {
    let (sandbox, _daemon, recorder) = recorded();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox.configure_docker(&logged_in(&registry));
    let pushed = without_passwords(push(&sandbox, &registry, "demo").success());
    pushed
        .says("[auth] demo:pull,push token for 127.0.0.1:")
        .does_not_say("sharing credentials");
    registry_has(&authority, "demo");
    assert!(!recorder.has_seen(PASSWORD), "the daemon got the password");

    // For comparison: the daemon fetches the token, and the relay sees the password.
    let pushed = push(&sandbox, &registry, "other")
        .variable("BUILDKIT_NO_CLIENT_TOKEN", "1")
        .success();
    without_passwords(pushed).says("[auth] sharing credentials for 127.0.0.1:");
    let requests = authority.requests();
    let by_daemon = requests
        .iter()
        .all(|request| !request.agent.starts_with("iechor/"));
    assert!(by_daemon && !requests.is_empty(), "{requests:?}");
    assert!(
        recorder.has_seen(PASSWORD),
        "the relay misses what the daemon gets"
    );
}

/// Asserts that this program fetched a token for a repository with the password of [`USER`].
#[track_caller]
fn registry_has(authority: &Authority, repository: &str) {
    let requests = authority.requests();
    assert!(!requests.is_empty(), "no token for {repository}");
    for request in &requests {
        assert!(request.agent.starts_with("iechor/"), "{requests:?}");
        assert_eq!(request.user, USER, "{requests:?}");
    }
}

#[test]
fn an_authority_without_oauth_is_asked_in_the_older_way() {
    let sandbox = near();
    let authority = Authority::without_oauth(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox.configure_docker(&logged_in(&registry));
    without_passwords(push(&sandbox, &registry, "demo").success());
    let requests = authority.requests();
    let lines: Vec<_> = requests.iter().map(|request| &request.line[..4]).collect();
    assert!(
        lines.contains(&"POST") && lines.contains(&"GET "),
        "{requests:?}"
    );
}

#[test]
fn an_identity_token_is_exchanged_for_a_token() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox.configure_docker(&json!({"auths": {registry.address(): {"identitytoken": IDENTITY}}}));
    push(&sandbox, &registry, "demo")
        .success()
        .does_not_say(IDENTITY);
    let requests = authority.requests();
    assert!(
        requests.iter().all(|request| request.user == "identified"),
        "{requests:?}"
    );
    assert!(!requests.is_empty());
}

#[test]
fn builds_of_one_user_share_a_token_and_others_do_not_get_it() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox.configure_docker(&logged_in(&registry));
    push(&sandbox, &registry, "demo").success();
    let context = Context::bare(&format!("FROM {}/demo:1\n", registry.address()));
    let pull = || {
        sandbox
            .buildx("build --pull -o out")
            .argument(context.path())
    };
    authority.requests();
    pull().success();
    registry_has(&authority, "demo");
    // The daemon accepts the proof of the same user.
    pull().success();
    let again = authority.requests();
    assert!(again.is_empty(), "{again:?}");
    let seeds = sandbox.home().join("../docker/.token_seed");
    let seeds = fs::read_to_string(seeds).expect("the seeds");
    assert!(seeds.contains(registry.address()), "{seeds}");

    // A user without a login has another key, and gets a token without rights.
    sandbox.configure_docker(&json!({}));
    pull().failure(1);
    let anonymous = authority.requests();
    assert!(!anonymous.is_empty(), "the token of another user was used");
    assert!(
        anonymous.iter().all(|request| request.user.is_empty()),
        "{anonymous:?}"
    );
}

#[test]
fn wrong_credentials_are_named() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox
        .configure_docker(&json!({"auths": {registry.address(): login(USER, "wrong-password")}}));
    push(&sandbox, &registry, "demo")
        .failure(1)
        .says("failed to fetch oauth token: ")
        .says("refuses the credentials")
        .does_not_say("wrong-password");
}

#[test]
fn logins_for_repositories() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    let address = registry.address();
    let user_of = |repository: &str| {
        without_passwords(push(&sandbox, &registry, repository).success());
        let mut users: Vec<_> = authority
            .requests()
            .into_iter()
            .map(|request| request.user)
            .collect();
        users.dedup();
        users
    };
    sandbox.configure_docker(&json!({"auths": {
        address: login(USER, PASSWORD),
        format!("{address}/team"): login("team", "password-of-the-team"),
    }}));
    assert_eq!(user_of("else/lib"), [USER]);
    assert_eq!(user_of("team/lib"), ["team"]);

    // The files of docker buildx, which take precedence.
    let scoped = sandbox
        .store()
        .join("config")
        .join(address)
        .join("team/app@push");
    fs::create_dir_all(&scoped).expect("made");
    let configuration = json!({"auths": {address: login("app", "password-of-the-app")}});
    fs::write(scoped.join("config.json"), configuration.to_string()).expect("written");
    assert_eq!(user_of("team/app"), ["app"]);
    assert_eq!(user_of("team/other"), ["team"]);
}

#[test]
fn credentials_from_the_environment() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox
        .configure_docker(&json!({"auths": {registry.address(): login(USER, "wrong-password")}}));
    let variable = logged_in(&registry).to_string();
    let pushed = push(&sandbox, &registry, "demo")
        .variable("DOCKER_AUTH_CONFIG", variable)
        .success();
    without_passwords(pushed);
    registry_has(&authority, "demo");
}

/// Writes a credential helper, and returns a `PATH` with it.
fn helper(sandbox: &Sandbox, name: &str, script: &str) -> std::ffi::OsString {
    let directory = sandbox.path("helpers");
    fs::create_dir_all(&directory).expect("made");
    let file = directory.join(format!("docker-credential-{name}"));
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(directory).chain(std::env::split_paths(&path));
    std::env::join_paths(directories).expect("a PATH")
}

fn runs_of(count: &Path) -> usize {
    fs::read_to_string(count)
        .unwrap_or_default()
        .lines()
        .count()
}

#[test]
fn a_helper_is_asked_once() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    let count: PathBuf = sandbox.path("count");
    let path = helper(
        &sandbox,
        "good",
        &format!(
            "cat >/dev/null; echo run >>{}; echo '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'",
            count.display()
        ),
    );
    sandbox.configure_docker(&json!({"credHelpers": {registry.address(): "good"}}));
    let pushed = push(&sandbox, &registry, "demo")
        .variable("PATH", path)
        .success();
    without_passwords(pushed);
    registry_has(&authority, "demo");
    assert_eq!(runs_of(&count), 1);
}

#[test]
fn a_helper_that_fails_is_named() {
    let sandbox = near();
    let authority = Authority::start(USERS);
    for registry in [
        Registry::with_authority(&authority),
        Registry::with_password(),
    ] {
        let path = helper(&sandbox, "bad", "echo the keychain is locked >&2; exit 3");
        sandbox.configure_docker(&json!({"credHelpers": {registry.address(): "bad"}}));
        push(&sandbox, &registry, "demo")
            .variable("PATH", path)
            .failure(1)
            .says("credential helper docker-credential-bad for ")
            .says("the keychain is locked (exit status: 3)");
        sandbox.configure_docker(&json!({"credsStore": "absent"}));
        push(&sandbox, &registry, "demo")
            .failure(1)
            .says("credential helper docker-credential-absent for ")
            .says("it is not in any directory of PATH");
    }
}

/// An unusable configuration stops only what needs it.
#[test]
fn an_unusable_configuration_is_reported_and_ignored() {
    let sandbox = Sandbox::new();
    let docker = sandbox.home().join("../docker");
    let file = docker.join("config.json");
    let builder = sandbox.name("any");
    let commands = [
        format!("create --name {builder}"),
        "ls".to_owned(),
        format!("inspect {builder}"),
        format!("use {builder}"),
        format!("rm {builder}"),
    ];
    for (text, words) in [
        ("{", Some("config.json, line 1, column 1: ")),
        ("7", Some("the file is not used")),
        (r#"{"currentContext":7}"#, Some("entry currentContext in ")),
        (
            r#"{"auths":{"r.test":7}}"#,
            Some("entry auths.\"r.test\" in "),
        ),
        ("\u{feff}{}", None),
    ] {
        fs::write(&file, text).expect("written");
        for command in &commands {
            let done = sandbox.buildx(command).success();
            match words {
                Some(words) => drop(done.says("WARNING: ").says(words)),
                None => drop(done.does_not_say("config.json")),
            }
        }
    }
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("made");
    sandbox
        .buildx("ls")
        .success()
        .says("config.json: it is a directory");
    fs::remove_dir(&file).expect("removed");

    // What needs the entry fails, and nothing else.
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    let near = near();
    near.configure_docker(&json!({"auths": {registry.address(): 7, "other.test": {}}}));
    push(&near, &registry, "demo")
        .failure(1)
        .says(&format!("entry auths.\"{}\" in ", registry.address()));
    let mut logins = logged_in(&registry);
    logins["auths"]["other.test"] = json!(7);
    near.configure_docker(&logins);
    push(&near, &registry, "demo")
        .success()
        .says("entry auths.\"other.test\" in ");
}

#[test]
fn an_empty_configuration_counts_as_none() {
    let sandbox = near();
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let docker = sandbox.home().join("../docker");
    for text in ["", "\n", "null", "{}"] {
        fs::write(docker.join("config.json"), text).expect("written");
        sandbox
            .buildx(&format!("build -o out {}", context.word()))
            .success();
    }
    let authority = Authority::start(USERS);
    let registry = Registry::with_authority(&authority);
    sandbox.configure_docker(&logged_in(&registry));
    fs::write(docker.join(".token_seed"), "").expect("written");
    push(&sandbox, &registry, "demo").success();
}
