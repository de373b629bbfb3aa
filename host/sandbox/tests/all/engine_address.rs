//! No connection of a driver leads to an engine, by whatever name and whatever was granted.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_engine::endpoint::Host;
use iechor_engine::known::KnownEngines;
use iechor_sandbox::contract::Config;
use iechor_sandbox::report::{NoLog, NoProgress, SystemDialer};
use iechor_sandbox::{
    Dialer, DriverError, LocalConnection, LocalSocket, Node, NodeContext, Sandbox, limits,
};

use crate::support::{Answers, Nodes, Stage, config, granting, guest, load, pairs};

/// A node of the driver `remote`, which imports nothing of an engine, at a place of the user's.
async fn remote(endpoint: &str, engines: KnownEngines, dialer: Arc<dyn Dialer>) -> Node {
    let driver = Sandbox::embedded("remote").unwrap().unwrap();
    let config = Config {
        endpoint: endpoint.into(),
        ..config()
    };
    let (config, _) = driver.validate(&config).await.unwrap();
    let context = NodeContext {
        engine: None,
        engines: Arc::new(engines),
        grants: driver.grants(&[]).await.unwrap(),
        dialer,
        progress: Arc::new(NoProgress),
        log: Arc::new(NoLog),
        boot_limit: limits::BOOT,
        direct: None,
        ..Stage::new(Answers::AtOnce).context()
    };
    driver.node(config, context)
}

/// Asserts that the driver is refused the place because it is this engine.
async fn assert_refused(endpoint: &str, host: &Host) {
    let mut engines = KnownEngines::default();
    engines.add(host.clone(), "the Docker context \"mine\"");
    let node = remote(endpoint, engines, Arc::new(SystemDialer)).await;
    let error = node.dial().await.map(drop).expect_err(endpoint);
    let DriverError::Denied { denial, .. } = &error else {
        panic!("{endpoint}: {error:?}")
    };
    let words = format!("is the engine itself, {host} (the Docker context \"mine\")");
    assert!(denial.detail().contains(&words), "{}", denial.detail());
    let kind = match host {
        Host::Unix(_) => "transport.local",
        Host::Tcp { .. } => "transport.tcp",
        Host::Ssh(_) => unreachable!("drivers do not dial over SSH"),
    };
    assert_eq!(denial.capability, kind);
}

/// Asserts that the driver reaches the place: only its being an engine was against it.
async fn assert_reached(endpoint: &str, host: Host) {
    let mut engines = KnownEngines::default();
    engines.add(host, "elsewhere");
    let node = remote(endpoint, engines, Arc::new(SystemDialer)).await;
    node.dial().await.expect(endpoint);
}

/// An engine's socket.
struct Engine {
    directory: tempfile::TempDir,
    listener: UnixListener,
}

impl Engine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("engine.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            directory,
            listener,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn host(&self) -> Host {
        Host::Unix(self.path("engine.sock"))
    }

    /// Nobody connected, not even for a moment.
    fn assert_untouched(&self) {
        let error = self.listener.accept().map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

fn unix(path: &Path) -> String {
    format!("unix://{}", path.display())
}

#[tokio::test]
async fn its_socket_has_many_names() {
    let engine = Engine::new();
    std::os::unix::fs::symlink(engine.path("engine.sock"), engine.path("link")).unwrap();
    std::os::unix::fs::symlink(engine.path("link"), engine.path("link-to-link")).unwrap();
    std::os::unix::fs::symlink(engine.directory.path(), engine.path("above")).unwrap();
    std::fs::hard_link(engine.path("engine.sock"), engine.path("hard")).unwrap();
    for name in [
        "engine.sock",
        "link",
        "link-to-link",
        "above/engine.sock",
        "hard",
    ] {
        assert_refused(&unix(&engine.path(name)), &engine.host()).await;
    }
    // The configuration may have the other name.
    assert_refused(
        &unix(&engine.path("hard")),
        &Host::Unix(engine.path("link")),
    )
    .await;
    engine.assert_untouched();
    assert_reached(&unix(&engine.path("hard")), Host::Unix("/nowhere".into())).await;
}

/// Mounts take privileges; without them this test has nothing to show.
#[tokio::test]
async fn a_mount_is_no_other_socket() {
    let engine = Engine::new();
    let mounted = engine.path("mounted");
    std::fs::write(&mounted, "").unwrap();
    if !mount(
        &["--bind", engine.path("engine.sock").to_str().unwrap()],
        &mounted,
    ) {
        eprintln!("skipped: this user may not mount");
        return;
    }
    let _mount = Mounted(mounted.clone());
    assert_refused(&unix(&mounted), &engine.host()).await;
    engine.assert_untouched();
}

fn mount(options: &[&str], target: &Path) -> bool {
    let mut command = std::process::Command::new("mount");
    let output = command.args(options).arg(target).output();
    output.is_ok_and(|output| output.status.success())
}

/// A mount that goes with this value.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

/// Shows a socket as another file than it is, as some file systems do.
struct Overlay(PathBuf);

#[async_trait]
impl Dialer for Overlay {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        SystemDialer.resolve(host, port).await
    }
    async fn tcp(&self, host: &str, addresses: &[SocketAddr]) -> io::Result<BoxByteStream> {
        SystemDialer.tcp(host, addresses).await
    }
    async fn local(&self, _: LocalSocket) -> io::Result<LocalConnection> {
        let socket = LocalSocket::find(self.0.to_str().unwrap()).await;
        SystemDialer.local(socket).await
    }
}

#[tokio::test]
async fn a_file_system_that_shows_another_file_does_not_hide_it() {
    let engine = Engine::new();
    let shown = engine.path("shown");
    std::fs::write(&shown, "").unwrap();
    let mut engines = KnownEngines::default();
    engines.add(engine.host(), "here");
    let dialer = Arc::new(Overlay(engine.path("engine.sock")));
    let node = remote(&unix(&shown), engines, dialer.clone()).await;
    let error = node.dial().await.map(drop).unwrap_err();
    assert!(
        matches!(&error, DriverError::Denied { denial, .. } if denial.detail().contains("the engine itself")),
        "{error:?}"
    );
    let node = remote(&unix(&shown), KnownEngines::default(), dialer).await;
    node.dial().await.unwrap();
}

/// An address of this machine that is not of its loopback.
fn outer() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // Nothing is sent: this only chooses a way.
    socket.connect(("192.0.2.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[tokio::test]
async fn its_address_has_many_names() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let at = |host: &str| Host::Tcp {
        host: host.into(),
        port,
    };
    let mut names: Vec<String> = [
        "127.0.0.1",
        "localhost",
        "127.1.2.3",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "2130706433",
    ]
    .map(Into::into)
    .into();
    names.extend(outer().map(|address| address.to_string()));
    for engine in ["127.0.0.1", "localhost", "0.0.0.0"] {
        for name in &names {
            assert_refused(&format!("tcp://{name}:{port}"), &at(engine)).await;
        }
    }
    let error = listener.accept().map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let endpoint = format!("tcp://127.0.0.1:{port}");
    assert_reached(&endpoint, at("192.0.2.1")).await;
    let other = Host::Tcp {
        host: "127.0.0.1".into(),
        port: port - 1,
    };
    assert_reached(&endpoint, other).await;
}

/// A name that stands for something else each time.
#[derive(Default)]
struct Rebinding {
    asked: Mutex<usize>,
    dialled: Mutex<Vec<SocketAddr>>,
}

#[async_trait]
impl Dialer for Rebinding {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        let address: IpAddr = match *asked {
            1 => "192.0.2.9".parse().unwrap(),
            _ => "192.0.2.1".parse().unwrap(),
        };
        Ok(vec![SocketAddr::new(address, port)])
    }
    async fn tcp(&self, _: &str, addresses: &[SocketAddr]) -> io::Result<BoxByteStream> {
        self.dialled.lock().unwrap().extend(addresses);
        Ok(Box::new(tokio::io::duplex(64).0))
    }
    async fn local(&self, socket: LocalSocket) -> io::Result<LocalConnection> {
        SystemDialer.local(socket).await
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_what_was_compared_is_dialled() {
    let engine = Host::Tcp {
        host: "192.0.2.1".into(),
        port: 2376,
    };
    let mut engines = KnownEngines::default();
    engines.add(engine, "here");
    let dialer = Arc::new(Rebinding::default());
    let node = remote("tcp://changing.example:2376", engines, dialer.clone()).await;
    node.dial().await.unwrap();
    assert_eq!(*dialer.asked.lock().unwrap(), 1);
    let expected: SocketAddr = "192.0.2.9:2376".parse().unwrap();
    assert_eq!(*dialer.dialled.lock().unwrap(), [expected]);
    // The second time the name stands for the engine.
    node.dial().await.map(drop).unwrap_err();
    assert_eq!(*dialer.dialled.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_driver_that_uses_an_engine_is_kept_from_all_others() {
    let driver = load(guest()).await;
    let other = Engine::new();
    let mut engines = KnownEngines::default();
    engines.add(other.host(), "DOCKER_HOST");
    engines.add_text("tcp://127.0.0.1:2375", "the Docker context \"two\"");
    let socket = other.path("engine.sock");
    for (behaviour, value, words) in [
        ("dial local", socket.to_str().unwrap(), "(DOCKER_HOST)"),
        ("dial tcp", "localhost:2375", "(the Docker context \"two\")"),
        ("dial tcp", "127.0.0.1:2375", "(the Docker context \"two\")"),
    ] {
        let bench = Stage {
            engines: Arc::new(engines.clone()),
            ..granting(&driver, &["transport.local", "transport.tcp"]).await
        };
        let node = Config {
            options: pairs(&[("behave", behaviour), ("value", value)]),
            ..config()
        };
        let node = bench.with_config(&driver, node).await;
        let error = node.boot().await.unwrap_err();
        let DriverError::Denied { denial, .. } = &error else {
            panic!("{value}: {error:?}")
        };
        assert!(denial.detail().contains(words), "{}", denial.detail());
        // It is refused before anything is dialled, and looked up only where that was granted.
        assert_eq!(bench.network.dialled(), [""; 0]);
    }
}
