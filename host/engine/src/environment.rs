//! The environment variables that lead to an engine and to credentials.
//!
//! [`crate::endpoint`] and [`crate::config`] read them from here, so that tests can pass their own.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The environment variables that this crate reads, with the meaning that they have for the Docker
/// CLI. An empty variable counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    /// `DOCKER_HOST`: an endpoint.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`: the name of a context.
    pub docker_context: Option<String>,
    /// `DOCKER_TLS`: use TLS for `DOCKER_HOST` and accept any certificate.
    pub docker_tls: Option<String>,
    /// `DOCKER_TLS_VERIFY`: use TLS for `DOCKER_HOST` and verify the certificate.
    pub docker_tls_verify: Option<String>,
    /// `DOCKER_CERT_PATH`: the directory of `ca.pem`, `cert.pem` and `key.pem`.
    pub docker_cert_path: Option<String>,
    /// `DOCKER_CONFIG`: the directory of `config.json`.
    pub docker_config: Option<String>,
    /// `DOCKER_AUTH_CONFIG`: JSON with credentials that take precedence over all others.
    pub docker_auth_config: Option<String>,
    /// `CONTAINER_HOST`: an endpoint, for Podman.
    pub container_host: Option<String>,
    /// `XDG_RUNTIME_DIR`: the directory in which rootless engines create their sockets.
    pub runtime_directory: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`: the directories in which credential helpers are found.
    pub path: Option<OsString>,
}

impl Environment {
    /// Reads the variables of this process.
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
