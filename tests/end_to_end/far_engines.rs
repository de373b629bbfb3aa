//! Engines on other machines: through `ssh`, and through a proxy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::{fs, io};

use crate::context::Context;
use crate::support::{Invocation, Running, Sandbox, container_of, inspect, machine, wait_until};

fn socket() -> &'static str {
    let socket = machine().docker_host.strip_prefix("unix://");
    socket.expect("a local engine")
}

/// An SSH server of this machine, on which the Docker CLI reaches the engine.
struct Server {
    port: u16,
    path: String,
    _running: Running,
}

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let folder = sandbox.path("sshd");
        fs::create_dir(&folder).expect("made");
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        keygen.arg(folder.join("key"));
        Running::start(keygen).finish().success();
        fs::copy(folder.join("key.pub"), folder.join("authorized_keys")).expect("copied");

        // The configuration of ssh is that of the user in the user database, not of `HOME`.
        let programs = folder.join("bin");
        fs::create_dir(&programs).expect("made");
        let options = format!(
            "-F none -i {0}/key -o UserKnownHostsFile={0}/known -o StrictHostKeyChecking=no \
             -o LogLevel=ERROR",
            folder.display()
        );
        let wrapper = programs.join("ssh");
        fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec /usr/bin/ssh {options} \"$@\"\n"),
        )
        .expect("written");
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("set");

        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machine/sshd");
        let mut server = Command::new(script);
        server.arg("run").arg(port.to_string()).arg(&folder);
        let running = Running::start(server);
        wait_until("the SSH server listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let path = std::env::var("PATH").expect("set");
        Self {
            port,
            path: format!("{}:{path}", programs.display()),
            _running: running,
        }
    }

    fn endpoint(&self) -> String {
        format!("ssh://root@127.0.0.1:{}{}", self.port, socket())
    }

    fn run(&self, sandbox: &Sandbox, line: &str) -> Invocation {
        sandbox.buildx(line).variable("PATH", &self.path)
    }
}

#[test]
fn an_engine_is_used_through_ssh() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    let name = sandbox.name("ssh");
    let endpoint = server.endpoint();
    server
        .run(
            &sandbox,
            &format!("create --name {name} --driver docker-container {endpoint}"),
        )
        .words("--bootstrap --use")
        .success();
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    let shown = server
        .run(&sandbox, "inspect --format json")
        .success()
        .json();
    assert_eq!(shown["Nodes"][0]["Endpoint"], endpoint.as_str());
    assert_eq!(shown["Nodes"][0]["Status"], "running", "{shown}");
    let context = Context::on_base("RUN echo far > /made\n");
    server
        .run(&sandbox, &format!("build -o out {}", context.word()))
        .success();
    let made = fs::read_to_string(sandbox.path("out/made")).expect("exported");
    assert_eq!(made, "far\n");

    // As a context, too; and one builder has nodes here and there.
    sandbox.docker_context("far", &endpoint);
    let near = &machine().docker_host;
    for (node, endpoint) in [("c", "far"), ("d", near)] {
        server
            .run(
                &sandbox,
                &format!("create --name {name} --append --node {name}{node} {endpoint}"),
            )
            .success();
    }
    let shown = server
        .run(&sandbox, "inspect --format json")
        .success()
        .json();
    for node in [1, 2] {
        assert_eq!(shown["Nodes"][node]["Status"], "inactive", "{shown}");
    }
    server.run(&sandbox, &format!("rm {name}")).success();
    assert!(sandbox.left_in_engine().is_empty());
}

#[test]
fn what_ssh_reports_is_shown() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox);
    let name = sandbox.name("fails");
    let create = |endpoint: &str| {
        server.run(
            &sandbox,
            &format!("create --name {name} --driver docker-container {endpoint}"),
        )
    };
    let nobody = format!("ssh://stranger@127.0.0.1:{}", server.port);
    create(&nobody)
        .failure(4)
        .says(&format!("cannot reach the engine at {nobody}"))
        .says("Permission denied (publickey)");
    create("ssh://root@127.0.0.1:1")
        .failure(4)
        .says("Connection refused");
    let elsewhere = format!("ssh://root@127.0.0.1:{}/nonexistent.sock", server.port);
    create(&elsewhere).failure(4).says("/nonexistent.sock");
    create(&elsewhere)
        .variable("PATH", "/nonexistent")
        .failure(4)
        .says("cannot start ssh");
    create("ssh://me:secret@127.0.0.1")
        .failure(1)
        .says("ssh://me:...@127.0.0.1")
        .says("it contains a password");
    sandbox.assert_nothing_left();
}

/// A proxy that connects every tunnel to the test engine.
struct Proxy {
    address: String,
    tunnels: Arc<AtomicUsize>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let tunnels = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tunnels);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                thread::spawn(move || tunnel(client, &count).ok());
            }
        });
        Self { address, tunnels }
    }
}

fn tunnel(mut client: TcpStream, count: &AtomicUsize) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"CONNECT engine.test:2375 HTTP/1.1\r\n") {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }
    let mut engine = UnixStream::connect(socket())?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    count.fetch_add(1, Ordering::Relaxed);
    let (mut from_engine, mut to_client) = (engine.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    io::copy(&mut client, &mut engine)?;
    engine.shutdown(Shutdown::Write)
}

#[test]
fn an_engine_at_a_tcp_port_is_reached_through_the_proxy() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::start();
    let name = sandbox.name("proxy");
    let create = |endpoint: &str| {
        sandbox
            .buildx(&format!(
                "create --name {name} --driver docker-container --bootstrap"
            ))
            .words(endpoint)
            .variable("HTTP_PROXY", &proxy.address)
    };
    create("tcp://engine.test:2375").success();
    assert_eq!(inspect(&container_of(&name))["State"]["Running"], true);
    assert!(proxy.tunnels.load(Ordering::Relaxed) > 3);
    let listed = sandbox
        .buildx(&format!("inspect {name}"))
        .variable("http_proxy", &proxy.address)
        .success();
    assert!(listed.stdout.contains("running"), "{}", listed.stdout);
    sandbox
        .buildx(&format!("rm {name}"))
        .variable("HTTP_PROXY", &proxy.address)
        .success();

    create("tcp://other.test:2375").failure(4).says(&format!(
        "through the proxy {}: it answered 403",
        proxy.address
    ));
    let before = proxy.tunnels.load(Ordering::Relaxed);
    create("tcp://engine.test:2375")
        .variable("NO_PROXY", "engine.test")
        .failure(4)
        .does_not_say("proxy");
    // Engines of this machine are accessed directly.
    create("tcp://127.0.0.1:1")
        .failure(4)
        .says("connection refused");
    assert_eq!(proxy.tunnels.load(Ordering::Relaxed), before);
    sandbox.assert_nothing_left();
}
