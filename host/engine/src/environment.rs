//! The environment variables that lead to an engine and to credentials, and the settings of a command line
//! that take precedence over them.
//!
//! [`crate::endpoint`] and [`crate::config`] read them from here, so that tests can pass their own.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Name of the context that is not stored anywhere.
pub const DEFAULT_CONTEXT: &str = "default";

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
    /// Files for TLS that were named one by one. They take precedence over the files in a directory.
    pub tls_files: TlsFiles,
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
            tls_files: TlsFiles::default(),
            docker_config: text("DOCKER_CONFIG"),
            docker_auth_config: text("DOCKER_AUTH_CONFIG"),
            container_host: text("CONTAINER_HOST"),
            runtime_directory: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            home: std::env::home_dir(),
            path: std::env::var_os("PATH"),
        }
    }
}

/// Files for TLS connections to the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The only authorities to trust.
    pub ca: Option<PathBuf>,
    /// The client certificate.
    pub cert: Option<PathBuf>,
    /// The key of the client certificate.
    pub key: Option<PathBuf>,
}

/// Settings of the Docker CLI that its command line gave. They take precedence over the variables (docker/cli
/// `cli/flags/options.go`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// The directory of `config.json`.
    pub config: Option<String>,
    /// The name of a context.
    pub context: Option<String>,
    /// An endpoint.
    pub host: Option<String>,
    /// Use TLS, or do not.
    pub tls: Option<bool>,
    /// Use TLS, and verify the certificate or do not.
    pub tls_verify: Option<bool>,
    /// Files for TLS.
    pub tls_files: TlsFiles,
}

impl Environment {
    /// Returns the environment with the settings of a command line.
    pub fn with(mut self, settings: ClientSettings) -> Self {
        let switch = |on: bool| on.then(|| "1".to_owned());
        self.docker_config = settings.config.or(self.docker_config);
        if let Some(context) = settings.context {
            // The default context stands for DOCKER_HOST.
            if context != DEFAULT_CONTEXT {
                self.docker_host = None;
            }
            self.docker_context = Some(context);
        }
        self.docker_host = settings.host.or(self.docker_host);
        if let Some(on) = settings.tls {
            self.docker_tls = switch(on);
        }
        if let Some(verify) = settings.tls_verify {
            self.docker_tls = switch(true);
            self.docker_tls_verify = switch(verify);
        }
        self.tls_files = settings.tls_files;
        self
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
            .field("tls_files", &self.tls_files)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_host_or_a_context_replaces_the_other() {
        let variables = Environment {
            docker_host: text("tcp://variable:1"),
            docker_context: text("variable"),
            docker_config: text("/variable"),
            ..Environment::default()
        };
        let with = |settings| variables.clone().with(settings);
        let unchanged = with(ClientSettings::default());
        assert_eq!(unchanged.docker_host, text("tcp://variable:1"));
        assert_eq!(unchanged.docker_config, text("/variable"));
        let host = with(ClientSettings {
            host: text("tcp://flag:1"),
            config: text("/flag"),
            ..ClientSettings::default()
        });
        assert_eq!(host.docker_host, text("tcp://flag:1"));
        assert_eq!(host.docker_config, text("/flag"));
        let context = |name| ClientSettings {
            context: text(name),
            ..ClientSettings::default()
        };
        let other = with(context("flag"));
        assert_eq!(
            (other.docker_host, other.docker_context),
            (None, text("flag"))
        );
        assert_eq!(
            with(context("default")).docker_host,
            text("tcp://variable:1")
        );
    }

    #[test]
    fn switches_for_tls_turn_it_on_and_off() {
        let variables = |tls, verify| Environment {
            docker_tls: tls,
            docker_tls_verify: verify,
            ..Environment::default()
        };
        let with = |variables: Environment, tls, tls_verify| {
            let settings = ClientSettings {
                tls,
                tls_verify,
                ..ClientSettings::default()
            };
            let environment = variables.with(settings);
            (
                environment.docker_tls.is_some(),
                environment.docker_tls_verify.is_some(),
            )
        };
        assert_eq!(with(variables(None, None), Some(true), None), (true, false));
        assert_eq!(
            with(variables(text("1"), None), Some(false), None),
            (false, false)
        );
        assert_eq!(with(variables(None, None), None, Some(true)), (true, true));
        // Whoever turns verification off still means TLS.
        assert_eq!(
            with(variables(None, text("1")), None, Some(false)),
            (true, false)
        );
    }
}
