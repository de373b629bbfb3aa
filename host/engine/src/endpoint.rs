//! Finds the engine as the Docker CLI finds it.
//!
//! `DOCKER_HOST`, else `DOCKER_CONTEXT`, else `currentContext` of `config.json`, else the context
//! `default`, which is `unix:///var/run/docker.sock` (docker/cli `cli/command/cli.go`,
//! `resolveContextName`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::config::DockerConfig;

/// The context that is not stored anywhere.
pub const DEFAULT_CONTEXT: &str = "default";

/// Largest description of a context that is read, in bytes. One has about 500.
const CONTEXT_BYTES: u64 = 1 << 20;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// The variables of the environment that this crate reads, as the Docker CLI does. An empty
/// variable is one that is not set.
#[derive(Clone, Default)]
pub struct Environment {
    /// `DOCKER_HOST`: an endpoint.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`: the name of a context.
    pub docker_context: Option<String>,
    /// `DOCKER_TLS`: use TLS for `DOCKER_HOST`, and trust any certificate.
    pub docker_tls: Option<String>,
    /// `DOCKER_TLS_VERIFY`: use TLS for `DOCKER_HOST`, and check the certificate.
    pub docker_tls_verify: Option<String>,
    /// `DOCKER_CERT_PATH`: where `ca.pem`, `cert.pem` and `key.pem` are.
    pub docker_cert_path: Option<String>,
    /// `DOCKER_CONFIG`: where `config.json` is.
    pub docker_config: Option<String>,
    /// `DOCKER_AUTH_CONFIG`: JSON with credentials that go before all others.
    pub docker_auth_config: Option<String>,
    /// `CONTAINER_HOST`: an endpoint, for Podman.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`: where engines without root have their sockets.
    pub runtime_directory: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`, where the credential helpers are.
    pub path: Option<OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_tls: text("DOCKER_TLS"),
            docker_tls_verify: text("DOCKER_TLS_VERIFY"),
            docker_cert_path: text("DOCKER_CERT_PATH"),
            docker_config: text("DOCKER_CONFIG"),
            docker_auth_config: text("DOCKER_AUTH_CONFIG"),
            container_host: text("CONTAINER_HOST"),
            runtime_directory: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            home: std::env::home_dir(),
            path: std::env::var_os("PATH"),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("docker_host", &self.docker_host)
            .field("docker_context", &self.docker_context)
            .field("docker_tls", &self.docker_tls)
            .field("docker_tls_verify", &self.docker_tls_verify)
            .field("docker_cert_path", &self.docker_cert_path)
            .field("docker_config", &self.docker_config)
            .field(
                "docker_auth_config",
                &self.docker_auth_config.as_ref().map(|_| "<hidden>"),
            )
            .field("container_host", &self.container_host)
            .field("runtime_directory", &self.runtime_directory)
            .field("home", &self.home)
            .field("path", &self.path)
            .finish()
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port of a machine.
    Tcp {
        /// Name or address; an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// How to speak TLS with an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The only authority to trust; the system's where there is none.
    pub ca: Option<PathBuf>,
    /// This side's certificate.
    pub cert: Option<PathBuf>,
    /// The key of it.
    pub key: Option<PathBuf>,
    /// Trust any certificate.
    pub skip_verify: bool,
}

/// Where an engine is and how to speak with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The context that says so; `None` for the context `default` and for a plain endpoint.
    pub name: Option<String>,
    /// Where it listens.
    pub host: Host,
    /// With TLS, and how.
    pub tls: Option<Tls>,
}

impl Endpoint {
    /// What buildx files a user's choice of builder under: the context's name, or for the context
    /// `default` the host that it stands for.
    pub fn key(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => self.host.to_string(),
        }
    }
}

/// A context that is stored in the Docker CLI's configuration.
#[derive(Debug, Clone)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// What its maker says about it; may be empty.
    pub description: String,
    /// The engine it stands for, or why it cannot be used.
    pub endpoint: Result<Endpoint, EndpointError>,
}

/// Why there is no telling where the engine is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an endpoint.
    #[error(
        "{source_name} is {value:?}, which is no endpoint: {reason}; write it as \
         unix:///path/to/socket or tcp://host:port"
    )]
    Parse {
        /// Where the text comes from: a variable, a context.
        source_name: String,
        /// The text.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An endpoint of a kind that this program cannot reach yet.
    #[error(
        "{source_name} is {value:?}: endpoints with {scheme}:// are not supported yet; use \
         unix:// or tcp://, or forward the engine's socket to one"
    )]
    Unsupported {
        /// Where the text comes from.
        source_name: String,
        /// The text.
        value: String,
        /// Its scheme.
        scheme: String,
    },
    /// There is no such context.
    #[error(
        "there is no Docker context {name:?} in {}, though {source_name} names it; \
         `docker context ls` shows those there are",
        directory.display()
    )]
    NoContext {
        /// Its name.
        name: String,
        /// What names it.
        source_name: String,
        /// Where contexts are stored.
        directory: PathBuf,
    },
    /// A name that is neither a context's nor an endpoint.
    #[error(
        "{value:?} is neither a Docker context in {} nor an endpoint such as tcp://host:port",
        directory.display()
    )]
    Unknown {
        /// The name.
        value: String,
        /// Where contexts are stored.
        directory: PathBuf,
    },
    /// A context cannot be read.
    #[error("cannot read the Docker context {name:?} from {}: {reason}", path.display())]
    Context {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The engine that the user's environment and configuration name.
///
/// # Errors
///
/// Where what is named does not exist, cannot be read or is of an unsupported kind.
pub fn resolve(env: &Environment, config: &DockerConfig) -> Result<Endpoint, EndpointError> {
    if set(&env.docker_host).is_some() {
        return default_endpoint(env, config);
    }
    let named = set(&env.docker_context)
        .map(|name| (name, "DOCKER_CONTEXT".to_owned()))
        .or_else(|| {
            let source = || format!("currentContext in {}", config.path().display());
            config.current_context().map(|name| (name, source()))
        });
    match named {
        None | Some((DEFAULT_CONTEXT, _)) => default_endpoint(env, config),
        Some((name, source_name)) => match context(name, config) {
            Some(context) => context.endpoint,
            None => Err(EndpointError::NoContext {
                name: name.to_owned(),
                source_name,
                directory: contexts_directory(config),
            }),
        },
    }
}

/// The engine that a person or a stored builder names: a context, or else an endpoint.
///
/// An endpoint that is the one of `DOCKER_HOST` is spoken with as the environment says, any other
/// without TLS: only a context can say how.
///
/// # Errors
///
/// Where it is neither, or of an unsupported kind, or the context cannot be read.
pub fn by_name(
    name: &str,
    env: &Environment,
    config: &DockerConfig,
) -> Result<Endpoint, EndpointError> {
    if name == DEFAULT_CONTEXT {
        return default_endpoint(env, config);
    }
    if let Some(context) = context(name, config) {
        return context.endpoint;
    }
    if !name.contains(['/', ':']) {
        return Err(EndpointError::Unknown {
            value: name.to_owned(),
            directory: contexts_directory(config),
        });
    }
    let host = parse_host(name, false, "the endpoint")?;
    if let Ok(default) = default_endpoint(env, config)
        && default.host == host
    {
        return Ok(default);
    }
    Ok(Endpoint {
        name: None,
        host,
        tls: None,
    })
}

/// All stored contexts, sorted by name; `default`, which always exists, is not among them.
///
/// # Errors
///
/// Where the directory of contexts cannot be read. One that cannot be read itself says so in its
/// place.
pub fn list_contexts(config: &DockerConfig) -> Result<Vec<Context>, EndpointError> {
    let directory = contexts_directory(config);
    let unreadable = |e: std::io::Error| EndpointError::Context {
        name: "*".into(),
        path: directory.clone(),
        reason: e.to_string(),
    };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(e)),
    };
    let mut contexts = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path().join("meta.json");
        contexts.extend(read_context(&path, None, config));
    }
    contexts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(contexts)
}

fn set(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// The context `default`: `DOCKER_HOST` and its TLS variables (docker/cli `opts/hosts.go` and
/// `cli/flags/options.go`).
fn default_endpoint(env: &Environment, config: &DockerConfig) -> Result<Endpoint, EndpointError> {
    let verify = set(&env.docker_tls_verify).is_some();
    let tls = if verify || set(&env.docker_tls).is_some() {
        let directory = match set(&env.docker_cert_path) {
            Some(path) => PathBuf::from(path),
            None => config.directory().to_owned(),
        };
        let existing = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
        // To check against nothing but what was asked for: a missing ca.pem is told on connecting.
        let ca = if verify {
            Some(directory.join("ca.pem"))
        } else {
            existing("ca.pem")
        };
        Some(Tls {
            ca,
            cert: existing("cert.pem"),
            key: existing("key.pem"),
            skip_verify: !verify,
        })
    } else {
        None
    };
    let host = match set(&env.docker_host) {
        Some(value) => parse_host(value, tls.is_some(), "DOCKER_HOST")?,
        None if tls.is_some() => Host::Tcp {
            host: "localhost".into(),
            port: TLS_PORT,
        },
        None => Host::Unix(DEFAULT_SOCKET.into()),
    };
    // As in the Docker CLI, a socket is never spoken TLS with.
    let tls = tls.filter(|_| matches!(host, Host::Tcp { .. }));
    Ok(Endpoint {
        name: None,
        host,
        tls,
    })
}

fn contexts_directory(config: &DockerConfig) -> PathBuf {
    config.directory().join("contexts").join("meta")
}

/// Contexts are filed under the hash of their name.
fn digest(name: &str) -> String {
    use fmt::Write;
    Sha256::digest(name)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn context(name: &str, config: &DockerConfig) -> Option<Context> {
    let path = contexts_directory(config)
        .join(digest(name))
        .join("meta.json");
    read_context(&path, Some(name), config)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    name: String,
    #[serde(default)]
    metadata: MetaMetadata,
    #[serde(default)]
    endpoints: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct MetaMetadata {
    description: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct MetaEndpoint {
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// `None` where there is no such file.
fn read_context(path: &Path, name: Option<&str>, config: &DockerConfig) -> Option<Context> {
    let fallback = || {
        let directory = path.parent().and_then(Path::file_name);
        directory.unwrap_or_default().to_string_lossy().into_owned()
    };
    let broken = |name: String, reason: String| Context {
        name: name.clone(),
        description: String::new(),
        endpoint: Err(EndpointError::Context {
            name,
            path: path.to_owned(),
            reason,
        }),
    };
    let name = name.map(str::to_owned);
    let text = match iechor_files::read(path, CONTEXT_BYTES) {
        Ok(text) => text,
        Err(e) if e.is_not_found() => return None,
        Err(e) => return Some(broken(name.unwrap_or_else(fallback), e.to_string())),
    };
    let meta: Meta = match serde_json::from_slice(&text) {
        Ok(meta) => meta,
        Err(e) => return Some(broken(name.unwrap_or_else(fallback), e.to_string())),
    };
    if digest(&meta.name) != fallback() {
        return Some(broken(
            name.unwrap_or_else(|| meta.name.clone()),
            format!(
                "it is filed under the hash of another name than {:?}",
                meta.name
            ),
        ));
    }
    let Some(endpoint) = meta.endpoints.get("docker") else {
        return Some(broken(meta.name, "it has no Docker endpoint".into()));
    };
    let endpoint: MetaEndpoint = match serde_json::from_value(endpoint.clone()) {
        Ok(endpoint) => endpoint,
        Err(e) => return Some(broken(meta.name, e.to_string())),
    };
    let tls = context_tls(&meta.name, endpoint.skip_tls_verify, config);
    let host = if endpoint.host.is_empty() {
        Ok(Host::Unix(DEFAULT_SOCKET.into()))
    } else {
        let source = format!("the Docker context {:?}", meta.name);
        parse_host(&endpoint.host, tls.is_some(), &source)
    };
    Some(Context {
        description: meta.metadata.description.unwrap_or_default(),
        endpoint: host.map(|host| Endpoint {
            name: Some(meta.name.clone()),
            tls: tls.filter(|_| matches!(host, Host::Tcp { .. })),
            host,
        }),
        name: meta.name,
    })
}

fn context_tls(name: &str, skip_verify: bool, config: &DockerConfig) -> Option<Tls> {
    let directory = config
        .directory()
        .join("contexts")
        .join("tls")
        .join(digest(name))
        .join("docker");
    let existing = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
    let tls = Tls {
        ca: existing("ca.pem"),
        cert: existing("cert.pem"),
        key: existing("key.pem"),
        skip_verify,
    };
    let given = skip_verify || tls.ca.is_some() || tls.cert.is_some() || tls.key.is_some();
    given.then_some(tls)
}

/// Reads an endpoint such as `tcp://host:port` or `unix:///path`.
///
/// # Errors
///
/// Where it is none, or of an unsupported kind.
pub fn parse(text: &str) -> Result<Host, EndpointError> {
    parse_host(text, false, "the endpoint")
}

/// Reads an endpoint as `ParseHost` of the Docker CLI does, and takes a bare absolute path for a
/// socket, too.
fn parse_host(text: &str, tls: bool, source_name: &str) -> Result<Host, EndpointError> {
    let bad = |reason: &str| EndpointError::Parse {
        source_name: source_name.to_owned(),
        value: without_password(text),
        reason: reason.to_owned(),
    };
    let trimmed = text.trim();
    let (scheme, rest) = match trimmed.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if trimmed.starts_with('/') => ("unix", trimmed),
        None => ("tcp", trimmed),
    };
    match scheme {
        "unix" if rest.is_empty() => Ok(Host::Unix(DEFAULT_SOCKET.into())),
        "unix" => Ok(Host::Unix(rest.into())),
        "tcp" => tcp(rest, tls).map_err(bad),
        "ssh" | "npipe" | "fd" => Err(EndpointError::Unsupported {
            source_name: source_name.to_owned(),
            value: without_password(text),
            scheme: scheme.to_owned(),
        }),
        _ => Err(bad(&format!("{scheme}:// is no kind of endpoint"))),
    }
}

/// An address as it is shown: with `...` where a password is.
fn without_password(address: &str) -> String {
    let start = address.find("://").map_or(0, |place| place + 3);
    let (scheme, rest) = address.split_at(start);
    match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}{user}:...@{host}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    }
}

fn tcp(address: &str, tls: bool) -> Result<Host, &'static str> {
    let default_port = if tls { TLS_PORT } else { PORT };
    let address = address.strip_suffix('/').unwrap_or(address);
    if address.contains(['/', '?', '#']) {
        return Err("there is a path behind the port");
    }
    if address.contains('@') {
        return Err("there is a user in it");
    }
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("there is something between the address and its port"),
        }
    } else {
        match address.split_once(':') {
            None => (address, None),
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address needs brackets");
            }
            Some((host, port)) => (host, Some(port)),
        }
    };
    let port = match port {
        None | Some("") => default_port,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err("the port is no number from 1 to 65535"),
        },
    };
    let host = if host.is_empty() { "localhost" } else { host };
    if host.contains(char::is_whitespace) {
        return Err("there is white space in it");
    }
    Ok(Host::Tcp {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "tcp://me:hunter2@host:1",
            "me:hunter2@host",
            "ssh://me:hunter2@host",
            "http://me:hunter@hunter2@host/x",
        ] {
            let error = parse_host(text, false, "DOCKER_HOST").expect_err(text);
            let said = format!("{error} {error:?}");
            assert!(
                said.contains("me:...@host") && !said.contains("hunter"),
                "{said}"
            );
        }
        assert_eq!(without_password("ssh://me@host"), "ssh://me@host");
        assert_eq!(without_password("tcp://[::1]:2375"), "tcp://[::1]:2375");
    }

    fn environment(directory: &Path) -> Environment {
        Environment {
            docker_config: Some(directory.display().to_string()),
            ..Environment::default()
        }
    }

    fn load(env: &Environment) -> DockerConfig {
        DockerConfig::load(env).expect("a good config.json")
    }

    pub(crate) fn add_context(directory: &Path, name: &str, endpoint: &str, pems: &[&str]) {
        let meta = directory.join("contexts/meta").join(digest(name));
        std::fs::create_dir_all(&meta).expect("a directory");
        let text = format!(
            r#"{{"Name":"{name}","Metadata":{{"Description":"of {name}"}},"Endpoints":{{"docker":{endpoint}}}}}"#
        );
        std::fs::write(meta.join("meta.json"), text).expect("a file");
        let tls = directory
            .join("contexts/tls")
            .join(digest(name))
            .join("docker");
        for pem in pems {
            std::fs::create_dir_all(&tls).expect("a directory");
            std::fs::write(tls.join(pem), "").expect("a file");
        }
    }

    #[test]
    fn hosts() {
        let parse = |text: &str, tls| parse_host(text, tls, "it").map(|host| host.to_string());
        for (text, tls, expected) in [
            ("unix:///run/x.sock", false, "unix:///run/x.sock"),
            ("unix://", false, "unix:///var/run/docker.sock"),
            ("/run/x.sock", false, "unix:///run/x.sock"),
            (" tcp://host ", false, "tcp://host:2375"),
            ("tcp://host", true, "tcp://host:2376"),
            ("tcp://host:1/", true, "tcp://host:1"),
            ("tcp://", false, "tcp://localhost:2375"),
            ("tcp://:7", false, "tcp://localhost:7"),
            ("host:7", false, "tcp://host:7"),
            ("host", false, "tcp://host:2375"),
            ("127.0.0.1:7", false, "tcp://127.0.0.1:7"),
            ("tcp://[::1]:7", false, "tcp://[::1]:7"),
            ("[fe80::1]", false, "tcp://[fe80::1]:2375"),
        ] {
            assert_eq!(parse(text, tls).expect(text), expected, "{text}");
        }
        for (text, expected) in [
            ("tcp://host:x", "no number"),
            ("tcp://host:0", "no number"),
            ("tcp://host:65536", "no number"),
            ("tcp://host:1/path", "path"),
            ("tcp://::1", "brackets"),
            ("tcp://[::1", "bracket"),
            ("tcp://u@host", "user"),
            ("http://host", "http:// is no kind"),
            ("quux://host", "quux:// is no kind"),
        ] {
            let error = parse(text, false).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(text), "{error}");
        }
        for text in ["ssh://u@host", "npipe:////./pipe/x", "fd://"] {
            let error = parse(text, false).expect_err(text);
            assert!(matches!(error, EndpointError::Unsupported { .. }));
            let scheme = text.split(':').next().expect("a scheme");
            assert!(
                error
                    .to_string()
                    .contains(&format!("{scheme}:// are not supported yet"))
            );
        }
    }

    #[test]
    fn precedence() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        add_context(path, "one", r#"{"Host":"tcp://one:1"}"#, &[]);
        add_context(path, "two", r#"{"Host":"unix:///two"}"#, &[]);
        let mut env = environment(path);
        let key = |env: &Environment| resolve(env, &load(env)).expect("found").key();
        assert_eq!(key(&env), "unix:///var/run/docker.sock");
        std::fs::write(path.join("config.json"), r#"{"currentContext":"one"}"#).expect("written");
        assert_eq!(key(&env), "one");
        env.docker_context = Some("two".into());
        assert_eq!(key(&env), "two");
        env.docker_host = Some("tcp://three".into());
        assert_eq!(key(&env), "tcp://three:2375");
        env.docker_host = Some(String::new());
        assert_eq!(key(&env), "two");
        env.docker_context = Some("default".into());
        assert_eq!(key(&env), "unix:///var/run/docker.sock");
        env.docker_context = Some("four".into());
        let error = resolve(&env, &load(&env)).expect_err("no such context");
        let text = error.to_string();
        assert!(text.contains("DOCKER_CONTEXT names it"), "{text}");
        assert!(text.contains("\"four\""), "{text}");
        std::fs::write(path.join("config.json"), r#"{"currentContext":"five"}"#).expect("written");
        env.docker_context = None;
        let error = resolve(&env, &load(&env)).expect_err("no such context");
        assert!(error.to_string().contains("currentContext in"), "{error}");
    }

    #[test]
    fn tls_from_the_environment() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let mut env = environment(path);
        let tls = |env: &Environment| resolve(env, &load(env)).expect("found");
        env.docker_tls = Some("1".into());
        let endpoint = tls(&env);
        assert_eq!(endpoint.host.to_string(), "tcp://localhost:2376");
        let expected = Tls {
            skip_verify: true,
            ..Tls::default()
        };
        assert_eq!(endpoint.tls, Some(expected));
        env.docker_tls_verify = Some("0".into());
        env.docker_host = Some("tcp://host".into());
        let certs = path.join("certs");
        std::fs::create_dir(&certs).expect("made");
        for pem in ["cert.pem", "key.pem"] {
            std::fs::write(certs.join(pem), "").expect("written");
        }
        env.docker_cert_path = Some(certs.display().to_string());
        let endpoint = tls(&env);
        assert_eq!(endpoint.host.to_string(), "tcp://host:2376");
        let expected = Tls {
            ca: Some(certs.join("ca.pem")),
            cert: Some(certs.join("cert.pem")),
            key: Some(certs.join("key.pem")),
            skip_verify: false,
        };
        assert_eq!(endpoint.tls, Some(expected));
        env.docker_host = Some("unix:///x".into());
        assert_eq!(tls(&env).tls, None);
    }

    #[test]
    fn contexts_with_tls() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        add_context(path, "safe", r#"{"Host":"tcp://h"}"#, &["ca.pem"]);
        add_context(
            path,
            "lax",
            r#"{"Host":"tcp://h","SkipTLSVerify":true}"#,
            &[],
        );
        add_context(
            path,
            "plain",
            r#"{"Host":"tcp://h","SkipTLSVerify":false}"#,
            &[],
        );
        let env = environment(path);
        let config = load(&env);
        let get = |name| by_name(name, &env, &config).expect("found");
        let safe = get("safe");
        assert_eq!(safe.host.to_string(), "tcp://h:2376");
        let tls = safe.tls.expect("tls");
        assert!(tls.ca.expect("ca").ends_with("docker/ca.pem"));
        assert!(!tls.skip_verify);
        assert!(get("lax").tls.expect("tls").skip_verify);
        assert_eq!(get("plain").tls, None);
        assert_eq!(get("plain").key(), "plain");
    }

    #[test]
    fn names() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let mut env = environment(path);
        let config = load(&env);
        let get = |name: &str, env: &Environment| by_name(name, env, &config);
        assert_eq!(
            get("tcp://h:1", &env).expect("an endpoint").key(),
            "tcp://h:1"
        );
        assert_eq!(
            get("default", &env).expect("exists").key(),
            "unix:///var/run/docker.sock"
        );
        let error = get("nobody", &env).expect_err("unknown");
        assert!(
            error.to_string().contains("neither a Docker context"),
            "{error}"
        );
        env.docker_host = Some("tcp://h:1".into());
        env.docker_tls = Some("1".into());
        assert!(get("tcp://h:1", &env).expect("same host").tls.is_some());
        assert!(get("tcp://h:2", &env).expect("other host").tls.is_none());
    }

    #[test]
    fn lists_what_can_be_used_and_what_cannot() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let env = environment(path);
        assert!(list_contexts(&load(&env)).expect("none yet").is_empty());
        add_context(path, "zz", r#"{"Host":"unix:///z"}"#, &[]);
        add_context(path, "far", r#"{"Host":"ssh://h"}"#, &[]);
        add_context(path, "odd", r#"{"Host":7}"#, &[]);
        let broken = path.join("contexts/meta").join(digest("aa"));
        std::fs::create_dir_all(&broken).expect("made");
        std::fs::write(broken.join("meta.json"), "{").expect("written");
        let list = list_contexts(&load(&env)).expect("readable");
        let lines: Vec<_> = list
            .iter()
            .map(|c| match &c.endpoint {
                Ok(endpoint) => format!("{} {} {}", c.name, endpoint.host, c.description),
                Err(e) => format!("{} ! {e}", c.name),
            })
            .collect();
        assert_eq!(lines.len(), 4, "{lines:#?}");
        let with = |start: &str, part: &str| {
            assert!(
                lines
                    .iter()
                    .any(|l| l.starts_with(start) && l.contains(part)),
                "{lines:#?}"
            );
        };
        with("zz unix:///z", "of zz");
        with("far !", "ssh:// are not supported yet");
        with("odd !", "invalid type");
        with(&digest("aa"), "EOF while parsing");
    }
}
