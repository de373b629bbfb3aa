//! The driver `remote`: a BuildKit that is already running.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::context::Context;
use crate::daemon::{Daemon, certificates};
use crate::proxy::SlowEngine;
use crate::support::{Sandbox, docker, machine};

/// The flags that a client of the daemon needs, with names of files in the working directory.
pub const MUTUAL: &str = "--driver-opt cacert=good.pem,cert=client.pem,key=client.key";

fn context() -> Context {
    let context = Context::on_base("RUN echo made > /made\nCMD [\"cat\", \"/made\"]\n");
    context.file("marker", "one\n");
    context
}

/// Creates a sandbox with certificates in its working directory.
pub fn with_certificates() -> Sandbox {
    let sandbox = Sandbox::new();
    certificates(sandbox.path("x").parent().expect("above"));
    sandbox
}

fn runs(container: &str) -> bool {
    docker(&format!("exec {container} true")).succeeded()
}

#[test]
fn builds_go_through_mutual_tls() {
    let sandbox = with_certificates();
    let daemon = Daemon::start(&sandbox);
    let endpoint = daemon.on_port(sandbox.path("x").parent().expect("above"));
    let name = sandbox.name("tls");
    sandbox
        .buildx(&format!(
            "create --name {name} --driver remote {MUTUAL} --use --bootstrap {endpoint}"
        ))
        .success()
        .says(&format!("waiting for BuildKit at {endpoint}"))
        .prints(&format!("{name}\n"));

    let shown = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(shown["Driver"], "remote");
    let node = &shown["Nodes"][0];
    assert_eq!(node["Endpoint"], endpoint.as_str());
    assert_eq!(node["Status"], "running");
    assert!(
        node["Version"].as_str().is_some_and(|v| v.starts_with('v')),
        "{node}"
    );
    assert!(
        node["Platforms"].as_array().is_some_and(|p| !p.is_empty()),
        "{node}"
    );
    // Relative paths are stored as absolute paths.
    let key = sandbox.path("client.key");
    assert_eq!(node["DriverOpts"]["key"], key.to_str().expect("Unicode"));
    let saved = fs::read_to_string(sandbox.store().join("instances").join(&name)).expect("saved");
    let secret = fs::read_to_string(&key).expect("the key");
    let secret = secret.lines().nth(1).expect("a line of it");
    assert!(!saved.contains(secret), "the key was copied to the store");

    let context = context();
    let image = sandbox.name("image");
    sandbox
        .buildx(&format!("build -t {image} --load {}", context.word()))
        .success()
        .says_line(&format!(
            "#0 building with {name:?} instance using remote driver"
        ));
    docker(&format!("run --rm {image}"))
        .success()
        .prints("made\n");
    sandbox
        .buildx(&format!("build --output out {}", context.word()))
        .success();
    assert_eq!(
        fs::read_to_string(sandbox.path("out/made")).expect("exported"),
        "made\n"
    );

    // The builder must not stop or remove it.
    sandbox.buildx("stop").success();
    sandbox
        .buildx("rm")
        .success()
        .says(&format!("{name} removed"));
    assert!(runs(&daemon.container));
}

#[test]
fn who_is_not_trusted_is_told_what_to_mend() {
    let sandbox = with_certificates();
    let daemon = Daemon::start(&sandbox);
    let endpoint = daemon.on_port(sandbox.path("x").parent().expect("above"));
    let context = context();
    for (number, (options, words)) in [
        (
            "cacert=bad.pem,cert=client.pem,key=client.key",
            "was not issued by an authority in the file of option cacert",
        ),
        ("cacert=good.pem", "wants a certificate of this side"),
        (
            "cacert=good.pem,cert=client.pem,key=client.key,servername=other.example.com",
            "is not for \"other.example.com\" but for ",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = sandbox.name(&format!("refused{number}"));
        let create = format!("create --name {name} --driver-opt {options} {endpoint}");
        sandbox
            .buildx(&format!("{create} --bootstrap"))
            .failure(1)
            .says(words);
        assert_eq!(sandbox.builders(), Vec::<String>::new(), "it was saved");
        sandbox.buildx(&create).success();
        sandbox
            .buildx(&format!("build --builder {name} {}", context.word()))
            .failure(1)
            .says(words);
        sandbox.buildx("ls").success().says(words);
        sandbox.buildx(&format!("rm {name}")).success();
    }
    // Without certificates the client does not use TLS, but the daemon requires it.
    let name = sandbox.name("plain");
    sandbox
        .buildx(&format!("create --name {name} --bootstrap {endpoint}"))
        .failure(1)
        .says("the other side uses TLS");
}

#[test]
fn builds_go_through_a_unix_socket() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox);
    let socket = sandbox.path("buildkitd.sock");
    daemon.on_socket(&socket);
    let endpoint = format!("unix://{}", socket.display());
    let context = context();
    // An endpoint with a scheme selects this driver, also if the environment names it.
    let (named, found) = (sandbox.name("named"), sandbox.name("found"));
    sandbox
        .buildx(&format!("create --name {named} {endpoint}"))
        .success();
    sandbox
        .buildx(&format!(
            "create --name {found} --driver-opt default-load=true"
        ))
        .variable("BUILDKIT_HOST", &endpoint)
        .success();
    for name in [&named, &found] {
        let shown = sandbox
            .buildx(&format!("inspect {name} --format json"))
            .success()
            .json();
        assert_eq!(shown["Driver"], "remote");
        assert_eq!(shown["Nodes"][0]["Endpoint"], endpoint.as_str());
        assert_eq!(shown["Nodes"][0]["Flags"], json!([]));
    }
    sandbox
        .buildx(&format!(
            "build --builder {named} -o type=tar,dest=out.tar {}",
            context.word()
        ))
        .success();
    assert!(sandbox.path("out.tar").exists());
    let image = sandbox.name("loaded");
    sandbox
        .buildx(&format!(
            "build --builder {found} -t {image} {}",
            context.word()
        ))
        .success()
        .says("importing to docker");
    docker(&format!("run --rm {image}"))
        .success()
        .prints("made\n");
}

#[test]
fn a_daemon_that_is_down_is_inactive_and_then_named() {
    let sandbox = Sandbox::new();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", port.local_addr().expect("bound"));
    drop(port);
    let name = sandbox.name("down");
    sandbox
        .buildx(&format!("create --name {name} --use {endpoint}"))
        .success();
    let shown = sandbox.buildx("inspect --format json").success().json();
    assert_eq!(shown["Nodes"][0]["Status"], "inactive");
    let context = context();
    sandbox
        .buildx(&format!("build {}", context.word()))
        .failure(1)
        .says(&format!(
            "BuildKit at {endpoint} did not answer within 20 s"
        ))
        .says("refused");
}

#[test]
fn what_is_wrong_with_certificates_and_endpoints_is_said_before_anything_is_saved() {
    let sandbox = with_certificates();
    sandbox.write("der.pem", b"\x30\x82");
    let create = format!("create --name {} --driver remote", sandbox.name("wrong"));
    sandbox
        .buildx(&format!(
            "{create} --driver-opt cacert=nowhere.pem,cert=der.pem,key=client.key tcp://b:1234"
        ))
        .failure(1)
        .says("option cacert: cannot read /")
        .says("nowhere.pem: No such file or directory")
        .says("der.pem: it has no certificate or private key in it");
    for (endpoint, words) in [
        ("", "no remote endpoint provided"),
        (
            "docker-container://b",
            "a builder of the driver iechor-container",
        ),
        ("kube-pod://b", "kubectl port-forward"),
        ("tcp://b", "the port is missing"),
    ] {
        sandbox
            .buildx(&format!("{create} {endpoint}"))
            .failure(1)
            .says(words);
    }
    sandbox
        .buildx(&format!("{create} --buildkitd-flags --debug tcp://b:1234"))
        .failure(1)
        .says("its flags are set where it is started");
    sandbox.assert_nothing_left();
}

#[test]
fn the_engine_is_no_daemon_that_a_driver_is_connected_to() {
    let sandbox = Sandbox::new();
    let engine = &machine().docker_host;
    let socket = engine.strip_prefix("unix://").expect("a socket");
    let link = sandbox.path("link.sock");
    std::os::unix::fs::symlink(socket, &link).expect("linked");
    // Another engine that only a builder names, and that is down when the driver connects.
    let other_engine =
        SlowEngine::start(sandbox.path("x").parent().expect("above"), Duration::ZERO);
    let elsewhere = other_engine.endpoint();
    let elsewhere = Path::new(elsewhere.strip_prefix("unix://").expect("a socket"));
    let other = sandbox.name("other");
    sandbox
        .buildx(&format!(
            "create --name {other} --driver docker-container unix://{}",
            elsewhere.display()
        ))
        .success();
    other_engine.set_down(true);
    for (number, (path, named_by)) in [
        (socket, "(DOCKER_HOST)".to_owned()),
        (link.to_str().expect("Unicode"), "(DOCKER_HOST)".to_owned()),
        (
            elsewhere.to_str().expect("Unicode"),
            format!("(builder {other:?})"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = sandbox.name(&format!("engine{number}"));
        sandbox
            .buildx(&format!(
                "create --name {name} --driver remote --bootstrap unix://{path}"
            ))
            .failure(1)
            .says(&format!("{path} is the engine itself, unix://"))
            .says(&named_by);
    }
}
