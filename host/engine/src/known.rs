//! All engines that this machine's configuration names, to prevent accidental access to them.
//!
//! Access to an engine is access to everything on its machine. So a connection that is opened for a
//! driver is compared with every engine that is named anywhere. The comparison uses the actual
//! address of the connection, not its spelling.
//!
//! This module cannot detect an engine at an address that no configuration names, or a program that
//! forwards connections to an engine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::DockerConfig;
use crate::endpoint::{self, Host};
use crate::environment::Environment;

/// Maximum wall time to resolve an engine's host name.
const LOOKUP: Duration = Duration::from_secs(5);

/// Sockets at which engines listen by default. containerd and CRI-O can start any container, too.
const SOCKETS: [&str; 6] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/crio/crio.sock",
];

/// The same for rootless engines, relative to the directory of a user's sockets.
const USER_SOCKETS: [&str; 4] = [
    "docker.sock",
    "podman/podman.sock",
    "containerd/containerd.sock",
    "containerd-rootless/api.sock",
];

/// The same for engines in a virtual machine, relative to the user's home directory.
const HOME_SOCKETS: [&str; 6] = [
    ".docker/run/docker.sock",
    ".docker/desktop/docker.sock",
    ".colima/default/docker.sock",
    ".orbstack/run/docker.sock",
    ".rd/docker.sock",
    ".lima/docker/sock/docker.sock",
];

/// An engine, and the setting that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEngine {
    /// Where it listens.
    pub host: Host,
    /// The setting that names it: `DOCKER_HOST`, `the Docker context "x"`.
    pub named_by: String,
}

/// Displays the endpoint and the setting that names it.
impl fmt::Display for KnownEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.host, self.named_by)
    }
}

/// The identity of a file, independent of its path: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    /// Device of the file.
    pub device: u64,
    /// Inode number on the device.
    pub inode: u64,
}

impl FileIdentity {
    /// Returns the identity of the file at a path, following links; `None` if there is none.
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }
}

/// All engines that this machine's configuration names.
#[derive(Debug, Clone, Default)]
pub struct KnownEngines(Vec<KnownEngine>);

impl KnownEngines {
    /// Finds the engines that the environment and the Docker CLI's configuration with all its contexts
    /// name, and those at default addresses. A setting that cannot be read names no engine, because no
    /// engine can be reached through it either.
    pub fn find(env: &Environment, config: &DockerConfig) -> Self {
        let mut known = Self::default();
        if let Some(host) = &env.docker_host {
            known.add_text(host, "DOCKER_HOST");
        }
        // The TLS variables may change its port.
        if let Ok(default) = endpoint::by_name(endpoint::DEFAULT_CONTEXT, env, config) {
            known.add(default.host, "the Docker context \"default\"");
        }
        if let Some(host) = &env.container_host {
            known.add_text(host, "CONTAINER_HOST");
        }
        for context in endpoint::list_contexts(config).unwrap_or_default() {
            if let Ok(endpoint) = context.endpoint {
                known.add(
                    endpoint.host,
                    format!("the Docker context {:?}", context.name),
                );
            }
        }
        let usual = "where engines usually listen";
        for path in SOCKETS {
            known.add(Host::Unix(path.into()), usual);
        }
        for directory in user_directories(env) {
            for name in USER_SOCKETS {
                known.add(Host::Unix(directory.join(name)), usual);
            }
        }
        for name in HOME_SOCKETS {
            if let Some(home) = &env.home {
                known.add(Host::Unix(home.join(name)), usual);
            }
        }
        known
    }

    /// Adds an engine, unless it is already known.
    pub fn add(&mut self, host: Host, named_by: impl Into<String>) {
        if !self.0.iter().any(|known| known.host == host) {
            let named_by = named_by.into();
            self.0.push(KnownEngine { host, named_by });
        }
    }

    /// Adds the engine of an endpoint such as `tcp://host:port`. Ignores any other text.
    pub fn add_text(&mut self, endpoint: &str, named_by: impl Into<String>) {
        if let Ok(host) = endpoint::parse(endpoint) {
            self.add(host, named_by);
        }
    }

    /// Returns all engines.
    pub fn iter(&self) -> impl Iterator<Item = &KnownEngine> {
        self.0.iter()
    }

    /// Returns the engine whose socket is at a path, or is the file of that identity: reached by hard
    /// or symbolic links, by mounts, or by another spelling.
    pub fn at_socket(&self, path: &Path, identity: Option<FileIdentity>) -> Option<&KnownEngine> {
        self.0.iter().find(|known| match &known.host {
            Host::Unix(own) => {
                own == path || (identity.is_some() && FileIdentity::of(own) == identity)
            }
            Host::Tcp { .. } | Host::Ssh(_) => false,
        })
    }

    /// Returns the engine that is reached at one of these addresses, to which `host` resolves.
    ///
    /// All addresses of this machine count as one: an engine that listens at one of them may listen
    /// at all of them. An engine whose addresses cannot be resolved counts as reached if the port is
    /// the same, because it cannot be excluded.
    pub async fn at_addresses(&self, host: &str, addresses: &[SocketAddr]) -> Option<&KnownEngine> {
        for known in &self.0 {
            let Host::Tcp { host: own, port } = &known.host else {
                continue;
            };
            let reached: Vec<_> = addresses
                .iter()
                .filter(|address| address.port() == *port)
                .map(|address| plain(address.ip()))
                .collect();
            if reached.is_empty() {
                continue;
            }
            if own.eq_ignore_ascii_case(host) {
                return Some(known);
            }
            let lookup = tokio::net::lookup_host((own.as_str(), *port));
            let own: Vec<_> = match tokio::time::timeout(LOOKUP, lookup).await {
                Ok(Ok(found)) => found.map(|address| plain(address.ip())).collect(),
                Ok(Err(_)) | Err(_) => return Some(known),
            };
            let is_here = own.iter().copied().any(is_local);
            let mut reached = reached.into_iter();
            if reached.any(|address| own.contains(&address) || (is_here && is_local(address))) {
                return Some(known);
            }
        }
        None
    }
}

/// Returns the directories of a user's sockets: the default one, and that of the environment.
fn user_directories(env: &Environment) -> Vec<PathBuf> {
    let own = PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
    let mut directories = vec![own];
    if let Some(directory) = &env.runtime_directory
        && directory.is_absolute()
        && !directories.contains(directory)
    {
        directories.push(directory.clone());
    }
    directories
}

/// Returns the IPv4 address that an IPv6 address stands for, by mapping or by the well-known prefix of
/// translators (RFC 6052). Returns any other address unchanged.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(long) = address else {
        return address;
    };
    if let Some(mapped) = long.to_ipv4_mapped() {
        return mapped.into();
    }
    let octets = long.octets();
    match octets {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
            Ipv4Addr::new(a, b, c, d).into()
        }
        _ => address,
    }
}

/// Checks whether an address is one of this machine: only those can be bound.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engines(endpoints: &[&str]) -> KnownEngines {
        let mut known = KnownEngines::default();
        for endpoint in endpoints {
            known.add_text(endpoint, "a test");
        }
        assert_eq!(known.iter().count(), endpoints.len());
        known
    }

    async fn reached(engine: &str, host: &str, address: &str) -> bool {
        let known = engines(&[engine]);
        let address = address.parse().expect("an address");
        known.at_addresses(host, &[address]).await.is_some()
    }

    /// An address of this machine that is not of its loopback.
    fn outer() -> Option<IpAddr> {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        // Nothing is sent: this only chooses a way.
        socket.connect(("192.0.2.1", 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    #[tokio::test]
    async fn every_name_of_this_machine_is_one() {
        let mut names = vec![
            "127.0.0.1:2375".to_owned(),
            "127.9.9.9:2375".into(),
            "0.0.0.0:2375".into(),
            "[::1]:2375".into(),
            "[::]:2375".into(),
            "[::ffff:127.0.0.1]:2375".into(),
            "[64:ff9b::7f00:1]:2375".into(),
        ];
        if let Some(outer) = outer() {
            names.push(SocketAddr::new(outer, 2375).to_string());
            names.push(format!("[::ffff:{outer}]:2375"));
        }
        for engine in [
            "tcp://127.0.0.1:2375",
            "tcp://localhost",
            "tcp://[::1]",
            "tcp://0.0.0.0",
        ] {
            for name in &names {
                assert!(reached(engine, "x", name).await, "{engine} {name}");
            }
            for other in ["127.0.0.1:2376", "192.0.2.1:2375", "[2001:db8::1]:2375"] {
                assert!(!reached(engine, "x", other).await, "{engine} {other}");
            }
        }
    }

    #[tokio::test]
    async fn an_engine_elsewhere_is_known_by_its_addresses() {
        for (engine, address, expected) in [
            ("tcp://192.0.2.1:2376", "192.0.2.1:2376", true),
            ("tcp://192.0.2.1:2376", "[::ffff:192.0.2.1]:2376", true),
            ("tcp://[::ffff:192.0.2.1]:2376", "192.0.2.1:2376", true),
            ("tcp://192.0.2.1:2376", "[64:ff9b::c000:201]:2376", true),
            ("tcp://192.0.2.1:2376", "192.0.2.1:1234", false),
            ("tcp://192.0.2.1:2376", "192.0.2.2:2376", false),
            ("tcp://192.0.2.1:2376", "127.0.0.1:2376", false),
        ] {
            assert_eq!(
                reached(engine, "x", address).await,
                expected,
                "{engine} {address}"
            );
        }
        // One of several addresses is enough.
        let addresses =
            ["192.0.2.7:2376", "192.0.2.1:2376"].map(|text| text.parse().expect("good"));
        let known = engines(&["unix:///x", "tcp://192.0.2.1:2376"]);
        let found = known.at_addresses("x", &addresses).await.expect("found");
        assert_eq!(found.to_string(), "tcp://192.0.2.1:2376 (a test)");
    }

    #[tokio::test]
    async fn an_engine_whose_address_is_not_known_may_be_anywhere() {
        let engine = "tcp://no-such-host.invalid:2376";
        assert!(reached(engine, "x", "192.0.2.1:2376").await);
        assert!(!reached(engine, "x", "192.0.2.1:2377").await);
        assert!(reached(engine, "No-Such-Host.invalid", "192.0.2.1:2376").await);
    }

    #[test]
    fn a_socket_is_known_by_every_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let socket = at("engine.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        std::os::unix::fs::symlink(&socket, at("link")).expect("linked");
        std::os::unix::fs::symlink(directory.path(), at("above")).expect("linked");
        std::fs::hard_link(&socket, at("hard")).expect("linked");
        let _other = std::os::unix::net::UnixListener::bind(at("other")).expect("bound");
        let known = engines(&[&format!("unix://{}", at("link").display())]);
        for name in [
            "engine.sock",
            "link",
            "hard",
            "above/engine.sock",
            "above/above/hard",
        ] {
            let identity = FileIdentity::of(&at(name));
            assert!(identity.is_some());
            assert!(
                known.at_socket(Path::new("/x"), identity).is_some(),
                "{name}"
            );
        }
        let other = FileIdentity::of(&at("other"));
        assert!(known.at_socket(&at("other"), other).is_none());
        // One that is not there is known by its path.
        let known = engines(&["unix:///nowhere/engine.sock"]);
        assert!(
            known
                .at_socket(Path::new("/nowhere/engine.sock"), None)
                .is_some()
        );
        assert!(
            known
                .at_socket(Path::new("/nowhere/other.sock"), None)
                .is_none()
        );
    }

    #[test]
    fn everything_that_names_an_engine_is_asked() {
        let directory = tempfile::tempdir().expect("a directory");
        endpoint::add_context(directory.path(), "far", r#"{"Host":"tcp://far:1"}"#, &[]);
        endpoint::add_context(directory.path(), "near", r#"{"Host":"unix:///near"}"#, &[]);
        endpoint::add_context(directory.path(), "ssh", r#"{"Host":"ssh://u@h"}"#, &[]);
        let env = Environment {
            docker_config: Some(directory.path().display().to_string()),
            docker_host: Some("tcp://10.0.0.1".into()),
            docker_tls_verify: Some("1".into()),
            container_host: Some("unix:///container/host".into()),
            runtime_directory: Some("/sockets".into()),
            home: Some("/home/me".into()),
            ..Environment::default()
        };
        let config = DockerConfig::load(&env);
        let known = KnownEngines::find(&env, &config);
        let known: Vec<_> = known.iter().map(ToString::to_string).collect();
        for expected in [
            "tcp://10.0.0.1:2375 (DOCKER_HOST)",
            "tcp://10.0.0.1:2376 (the Docker context \"default\")",
            "tcp://far:1 (the Docker context \"far\")",
            "unix:///near (the Docker context \"near\")",
            "unix:///container/host (CONTAINER_HOST)",
            "unix:///var/run/docker.sock (where engines usually listen)",
            "unix:///run/podman/podman.sock (where engines usually listen)",
            "unix:///sockets/podman/podman.sock (where engines usually listen)",
            "unix:///sockets/docker.sock (where engines usually listen)",
            "unix:///home/me/.docker/run/docker.sock (where engines usually listen)",
        ] {
            assert!(
                known.iter().any(|found| found == expected),
                "{expected}: {known:#?}"
            );
        }
    }
}
