//! `dial-stdio`: BuildKit's gRPC over standard input and output.

use std::process::Stdio;

use iechor_buildkit::Client;
use tokio::io::{AsyncReadExt as _, join};
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;

use crate::support::{Sandbox, container_of, inspect};

/// Starts the command with pipes as its standard input and output.
fn start(sandbox: &Sandbox, line: &str) -> Child {
    let mut command = Command::from(sandbox.buildx(line).into_command());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().expect("started")
}

#[test]
fn a_client_of_buildkit_works_through_it() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("dial");
    sandbox
        .buildx(&format!("create --name {name} --use"))
        .success();
    Runtime::new().expect("a runtime").block_on(async {
        // It boots the builder, and writes nothing but the bytes of BuildKit.
        let mut child = start(&sandbox, "dial-stdio");
        let streams = (child.stdout.take(), child.stdin.take());
        let stream = join(streams.0.expect("piped"), streams.1.expect("piped"));
        let client = Client::connect(stream).await.expect("HTTP/2");
        let workers = client.workers().await.expect("workers");
        assert_eq!(workers.len(), 1);
        client.disk_usage(Vec::new()).await.expect("records");
        // The end of the input ends the connection, and the command.
        drop(client);
        let status = child.wait().await.expect("ended");
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).await.expect("text");
        assert!(status.success(), "{said}");
        assert_eq!(said, "", "progress is off");
    });
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
}

#[test]
fn the_end_of_the_input_ends_the_command() {
    let sandbox = Sandbox::new();
    sandbox.booted("end", "");
    let ran = sandbox.buildx("dial-stdio --progress plain").success();
    // BuildKit begins with its settings.
    assert_eq!(ran.bytes[3], 4, "{:?}", ran.bytes);
    ran.says("Proxying to builder").says("Dialing builder");
}

#[test]
fn the_end_of_buildkit_ends_the_command() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("killed", "");
    Runtime::new().expect("a runtime").block_on(async {
        let mut child = start(&sandbox, "dial-stdio");
        let mut stdout = child.stdout.take().expect("piped");
        let mut head = [0; 9];
        stdout.read_exact(&mut head).await.expect("settings");
        crate::support::docker(&format!("kill {}", container_of(&name))).success();
        // Standard input stays open.
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait());
        ended.await.expect("it ends").expect("waited for");
    });
}

#[test]
fn a_platform_chooses_the_node() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("platform");
    sandbox
        .buildx(&format!(
            "create --name {name} --use --platform linux/amd64"
        ))
        .success();
    // The second node is unreachable, so only its choice fails.
    let file = sandbox.store().join("instances").join(&name);
    let saved = std::fs::read_to_string(&file).expect("saved");
    let mut group: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    let mut second = group["Nodes"][0].clone();
    second["Name"] = format!("{name}1").into();
    second["Endpoint"] = "unix:///nonexistent.sock".into();
    second["Platforms"] = serde_json::json!([{ "os": "linux", "architecture": "arm64" }]);
    group["Nodes"].as_array_mut().expect("nodes").push(second);
    std::fs::write(&file, group.to_string()).expect("written");

    sandbox.buildx("dial-stdio").success();
    sandbox
        .buildx("dial-stdio --platform linux/amd64")
        .success();
    for line in ["dial-stdio --platform linux/arm64", "dial-stdio"] {
        let invocation = sandbox.buildx(line);
        let invocation = match line {
            "dial-stdio" => invocation.variable("DOCKER_DEFAULT_PLATFORM", "linux/arm64"),
            _ => invocation,
        };
        invocation
            .failure(4)
            .says("cannot reach the engine at unix:///nonexistent.sock");
    }
    sandbox
        .buildx("dial-stdio --platform a/b/c/d")
        .failure(1)
        .says("ERROR: invalid platform \"a/b/c/d\"");
    sandbox
        .buildx("dial-stdio --progress banana")
        .failure(1)
        .says("invalid progress mode banana");
}
