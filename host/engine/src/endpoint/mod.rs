//! Finds the engine by the rules of the Docker CLI.
//!
//! `DOCKER_HOST` takes precedence, then `DOCKER_CONTEXT`, then `currentContext` of `config.json`,
//! then the context `default`, which is `unix:///var/run/docker.sock` (docker/cli
//! `cli/command/cli.go`, `resolveContextName`).

mod context;
mod error;
mod host;

use std::path::PathBuf;

pub use self::context::{Context, list_contexts};
use self::context::{context, contexts_directory};
pub use self::error::{ContextFault, EndpointError, EndpointFault, EndpointSource};
use self::host::{DEFAULT_SOCKET, TLS_PORT, parse_host};
pub use self::host::{Host, Ssh, parse};
use crate::config::DockerConfig;
pub use crate::environment::{ClientSettings, DEFAULT_CONTEXT, Environment, TlsFiles};

#[cfg(test)]
pub(crate) use self::context::tests::add_context;

/// TLS settings for a connection to an engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// File of the only authorities to trust. `None` trusts the system's authorities, which
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` can replace.
    pub ca: Option<PathBuf>,
    /// File of the client certificate.
    pub cert: Option<PathBuf>,
    /// File of the client certificate's key.
    pub key: Option<PathBuf>,
    /// Whether any certificate is accepted.
    pub skip_verify: bool,
}

/// The address of an engine, and how to connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the context; `None` for the context `default` and for a plain endpoint.
    pub name: Option<String>,
    /// Where the engine listens.
    pub host: Host,
    /// TLS settings; `None` connects without TLS.
    pub tls: Option<Tls>,
}

impl Endpoint {
    /// Returns the key under which buildx stores the user's choice of builder: the name of the
    /// context, or, for the context `default`, the host that it stands for.
    pub fn key(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => self.host.to_string(),
        }
    }
}

/// Returns the engine that the user's environment and configuration name.
///
/// # Errors
///
/// [`EndpointError`], if what is named does not exist, cannot be read or is not supported.
pub fn resolve(env: &Environment, config: &DockerConfig) -> Result<Endpoint, EndpointError> {
    if set(&env.docker_host).is_some() {
        return default_endpoint(env, config);
    }
    let named = set(&env.docker_context)
        .map(|name| (name, EndpointSource::DockerContext))
        .or_else(|| {
            let source = || EndpointSource::CurrentContext(config.path());
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

/// Returns the engine that a user or a stored builder names: a context, or else an endpoint.
///
/// The environment's TLS settings apply to an endpoint that equals `DOCKER_HOST`. Any other endpoint
/// is used without TLS: only a context has settings for it.
///
/// # Errors
///
/// [`EndpointError`], if the name is neither, is not supported, or the context cannot be read.
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
    let host = parse_host(name, false, EndpointSource::Given)?;
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

fn set(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

/// Returns the context `default`: `DOCKER_HOST` with its TLS variables (docker/cli `opts/hosts.go`
/// and `cli/flags/options.go`).
fn default_endpoint(env: &Environment, config: &DockerConfig) -> Result<Endpoint, EndpointError> {
    let verify = set(&env.docker_tls_verify).is_some();
    let tls = if verify || set(&env.docker_tls).is_some() {
        let directory = match set(&env.docker_cert_path) {
            Some(path) => PathBuf::from(path),
            None => config.directory().to_owned(),
        };
        let existing = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
        // A directory that the user names must contain the authority: if the file is missing,
        // connecting fails. Without such a directory, the system's authorities are an alternative.
        let named = env.tls_files.clone();
        let ca = if verify && set(&env.docker_cert_path).is_some() {
            Some(directory.join("ca.pem"))
        } else {
            existing("ca.pem")
        };
        Some(Tls {
            ca: named.ca.or(ca),
            cert: named.cert.or_else(|| existing("cert.pem")),
            key: named.key.or_else(|| existing("key.pem")),
            skip_verify: !verify,
        })
    } else {
        None
    };
    let host = match set(&env.docker_host) {
        Some(value) => parse_host(value, tls.is_some(), EndpointSource::DockerHost)?,
        None if tls.is_some() => Host::Tcp {
            host: "localhost".into(),
            port: TLS_PORT,
        },
        None => Host::Unix(DEFAULT_SOCKET.into()),
    };
    // Like the Docker CLI: never TLS on a Unix socket.
    let tls = tls.filter(|_| matches!(host, Host::Tcp { .. }));
    Ok(Endpoint {
        name: None,
        host,
        tls,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn environment(directory: &Path) -> Environment {
        Environment {
            docker_config: Some(directory.display().to_string()),
            ..Environment::default()
        }
    }

    fn load(env: &Environment) -> DockerConfig {
        DockerConfig::load(env)
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
        assert_eq!(tls(&env).tls, Some(Tls::default()));
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
}
