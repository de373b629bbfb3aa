//! Docker contexts that are stored in the Docker CLI's configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use iechor_values::hex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::{ContextFault, EndpointError, EndpointSource};
use super::host::{DEFAULT_SOCKET, Host, parse_host};
use super::{Endpoint, Tls};
use crate::config::DockerConfig;

/// Maximum size of a context's description, in bytes. Usual ones have about 500.
const CONTEXT_BYTES: u64 = 1 << 20;

/// A context that is stored in the Docker CLI's configuration.
#[derive(Debug, Clone)]
pub struct Context {
    /// Name of the context.
    pub name: String,
    /// Description; may be empty.
    pub description: String,
    /// The engine that it stands for, or why it cannot be used.
    pub endpoint: Result<Endpoint, EndpointError>,
}

/// Returns all stored contexts, sorted by name. `default`, which always exists, is not among them.
///
/// # Errors
///
/// [`EndpointError::Contexts`]. A context that cannot be read is listed with its own error.
pub fn list_contexts(config: &DockerConfig) -> Result<Vec<Context>, EndpointError> {
    let directory = contexts_directory(config);
    let unreadable = |e: std::io::Error| EndpointError::Contexts {
        directory: directory.clone(),
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

/// Returns the directory in which contexts are stored.
pub(super) fn contexts_directory(config: &DockerConfig) -> PathBuf {
    config.directory().join("contexts").join("meta")
}

/// Returns the hash of a context's name: the name of its directory.
fn digest(name: &str) -> String {
    hex::encode(&Sha256::digest(name))
}

/// Returns the stored context of a name; `None` if there is none.
pub(super) fn context(name: &str, config: &DockerConfig) -> Option<Context> {
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

/// Reads a context; `None` if the file does not exist.
fn read_context(path: &Path, name: Option<&str>, config: &DockerConfig) -> Option<Context> {
    let fallback = || {
        let directory = path.parent().and_then(Path::file_name);
        directory.unwrap_or_default().to_string_lossy().into_owned()
    };
    let broken = |name: String, fault: ContextFault| Context {
        name: name.clone(),
        description: String::new(),
        endpoint: Err(EndpointError::Context {
            name,
            path: path.to_owned(),
            fault,
        }),
    };
    let name = name.map(str::to_owned);
    let text = match iechor_files::read(path, CONTEXT_BYTES) {
        Ok(text) => text,
        Err(e) if e.is_not_found() => return None,
        Err(e) => {
            let fault = ContextFault::Read(e.to_string());
            return Some(broken(name.unwrap_or_else(fallback), fault));
        }
    };
    let meta: Meta = match serde_json::from_slice(&text) {
        Ok(meta) => meta,
        Err(e) => {
            let fault = ContextFault::Json(e.to_string());
            return Some(broken(name.unwrap_or_else(fallback), fault));
        }
    };
    if digest(&meta.name) != fallback() {
        return Some(broken(
            name.unwrap_or_else(|| meta.name.clone()),
            ContextFault::OtherName(meta.name),
        ));
    }
    let Some(endpoint) = meta.endpoints.get("docker") else {
        return Some(broken(meta.name, ContextFault::NoEndpoint));
    };
    let endpoint: MetaEndpoint = match serde_json::from_value(endpoint.clone()) {
        Ok(endpoint) => endpoint,
        Err(e) => return Some(broken(meta.name, ContextFault::Json(e.to_string()))),
    };
    let tls = context_tls(&meta.name, endpoint.skip_tls_verify, config);
    let host = if endpoint.host.is_empty() {
        Ok(Host::Unix(DEFAULT_SOCKET.into()))
    } else {
        let source = EndpointSource::Context(meta.name.clone());
        parse_host(&endpoint.host, tls.is_some(), source)
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

/// Returns the TLS material that is stored with a context; `None` if there is none.
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

#[cfg(test)]
pub(crate) mod tests {
    use super::super::by_name;
    use super::*;
    use crate::environment::Environment;

    fn environment(directory: &Path) -> Environment {
        Environment {
            docker_config: Some(directory.display().to_string()),
            ..Environment::default()
        }
    }

    fn load(env: &Environment) -> DockerConfig {
        DockerConfig::load(env)
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
    fn lists_what_can_be_used_and_what_cannot() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let env = environment(path);
        assert!(list_contexts(&load(&env)).expect("none yet").is_empty());
        add_context(path, "zz", r#"{"Host":"unix:///z"}"#, &[]);
        add_context(path, "far", r#"{"Host":"fd://h"}"#, &[]);
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
        with("far !", "fd:// are not supported yet");
        with("odd !", "invalid type");
        with(&digest("aa"), "EOF while parsing");
    }
}
