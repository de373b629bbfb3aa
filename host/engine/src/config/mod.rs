//! The Docker CLI's configuration: `config.json`, and the credentials that it leads to.
//!
//! The rules are those of docker/cli `cli/config/configfile/file.go` and `cli/config/credentials`.
//! This module writes nothing but the seeds of `token_seed`, and never prints a secret: neither with `Debug` nor in
//! errors.

mod credential_helper;
mod credentials;
mod error;
mod token_seed;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::credentials::{Credential, HUB_KEY};
use self::error::json_fault;
pub use self::error::{AuthFault, ConfigError, HelperFault};
use crate::environment::Environment;

/// Name of the file.
const FILE: &str = "config.json";

/// Maximum size of `config.json`, in bytes. A file with the credentials of a thousand registries,
/// with tokens of 4 KiB each, has half of that.
const FILE_BYTES: u64 = 8 << 20;

/// The Docker CLI's configuration.
#[derive(Clone, Default)]
pub struct DockerConfig {
    directory: PathBuf,
    file: File,
    auth_variable: Option<String>,
    helper_path: Option<std::ffi::OsString>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: Option<BTreeMap<String, Auth>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
    current_context: Option<String>,
    #[serde(rename = "HttpHeaders")]
    http_headers: Option<BTreeMap<String, String>>,
    proxies: Option<BTreeMap<String, Proxy>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Proxy {
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    ftp_proxy: Option<String>,
    all_proxy: Option<String>,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig")
            .field("directory", &self.directory)
            .field("current_context", &self.file.current_context)
            .finish_non_exhaustive()
    }
}

impl DockerConfig {
    /// Reads `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. A file that is missing or empty is an
    /// empty configuration, as for the Docker CLI.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`] and [`ConfigError::Parse`].
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        Self::load_from(Self::directory_of(env), env)
    }

    /// Returns the directory of the configuration that an environment names.
    pub fn directory_of(env: &Environment) -> PathBuf {
        match env.docker_config.as_deref().filter(|d| !d.is_empty()) {
            Some(directory) => PathBuf::from(directory),
            None => env.home.clone().unwrap_or_default().join(".docker"),
        }
    }

    /// Reads `config.json` in a directory.
    ///
    /// # Errors
    ///
    /// Those of [`DockerConfig::load`].
    pub fn load_from(directory: PathBuf, env: &Environment) -> Result<Self, ConfigError> {
        let path = directory.join(FILE);
        let file = match iechor_files::read(&path, FILE_BYTES) {
            Ok(text) if text.trim_ascii().is_empty() => File::default(),
            Ok(text) => serde_json::from_slice::<Option<File>>(&text)
                .map_err(|e| ConfigError::Parse {
                    path,
                    line: e.line(),
                    column: e.column(),
                    reason: json_fault(&e),
                })?
                .unwrap_or_default(),
            Err(e) if e.is_not_found() => File::default(),
            Err(e) => {
                return Err(ConfigError::Read {
                    path,
                    reason: e.to_string(),
                });
            }
        };
        Ok(Self {
            directory,
            file,
            auth_variable: env.docker_auth_config.clone().filter(|v| !v.is_empty()),
            helper_path: env.path.clone(),
        })
    }

    /// Reads the contents of a `config.json`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self {
            directory: PathBuf::new(),
            file: serde_json::from_slice(text)?,
            auth_variable: None,
            helper_path: None,
        })
    }

    /// Returns the directory of the configuration, which also contains the contexts.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the path of the file, which need not exist.
    pub fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Returns the context to use if the environment names no engine.
    pub fn current_context(&self) -> Option<&str> {
        let context = self.file.current_context.as_deref();
        context.filter(|context| !context.is_empty())
    }

    /// Returns the HTTP headers for every request to an engine.
    pub fn http_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.file.http_headers.iter().flatten();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the proxies for builds on the engine at `host`, as environment variables, sorted,
    /// each in upper and in lower case. `host` is an endpoint such as
    /// `unix:///var/run/docker.sock`.
    pub fn proxies(&self, host: &str) -> Vec<(String, String)> {
        let all = self.file.proxies.as_ref();
        let Some(proxy) = all.and_then(|all| all.get(host).or_else(|| all.get("default"))) else {
            return Vec::new();
        };
        let mut variables = Vec::new();
        for (name, value) in [
            ("ALL_PROXY", &proxy.all_proxy),
            ("FTP_PROXY", &proxy.ftp_proxy),
            ("HTTP_PROXY", &proxy.http_proxy),
            ("HTTPS_PROXY", &proxy.https_proxy),
            ("NO_PROXY", &proxy.no_proxy),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                variables.push((name.to_owned(), value.clone()));
                variables.push((name.to_lowercase(), value.clone()));
            }
        }
        variables.sort();
        variables
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    pub(super) struct Fixture {
        directory: tempfile::TempDir,
        variable: Option<String>,
    }

    impl Fixture {
        pub(super) fn new(json: &str) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("config.json"), json).expect("written");
            Self {
                directory,
                variable: None,
            }
        }

        /// Adds a helper whose answers are given by `script`.
        pub(super) fn helper(self, name: &str, script: &str) -> Self {
            let file = self
                .directory
                .path()
                .join(format!("docker-credential-{name}"));
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&file, mode).expect("set");
            self
        }

        pub(super) fn variable(mut self, value: &str) -> Self {
            self.variable = Some(value.into());
            self
        }

        pub(super) fn load(&self) -> Result<DockerConfig, ConfigError> {
            DockerConfig::load(&Environment {
                docker_config: Some(self.directory.path().display().to_string()),
                docker_auth_config: self.variable.clone(),
                path: Some(self.directory.path().into()),
                ..Environment::default()
            })
        }

        pub(super) async fn get(&self, host: &str) -> String {
            match self.load().expect("good").credentials(host).await {
                Ok(None) => "none".into(),
                Ok(Some(c)) => format!("{}:{}:{}", c.username, c.secret, c.is_identity_token),
                Err(e) => format!("error: {e}"),
            }
        }
    }

    pub(super) fn auth(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn a_configuration_that_is_no_regular_file_is_refused_at_once() {
        let fixture = Fixture::new("");
        let path = fixture.directory.path().join("config.json");
        std::fs::remove_file(&path).expect("removed");
        for (target, words) in [
            ("/dev/zero", "a device"),
            ("/dev/tty", "a device"),
            (".", "a directory"),
            ("config.json", "symbolic links"),
        ] {
            std::os::unix::fs::symlink(target, &path).expect("linked");
            let error = fixture.load().expect_err(target).to_string();
            assert!(error.contains(words), "{error}");
            std::fs::remove_file(&path).expect("removed");
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("made");
        let error = fixture.load().expect_err("a pipe").to_string();
        assert!(error.contains("a named pipe"), "{error}");
        std::fs::remove_file(&path).expect("removed");
        let large = std::fs::File::create(&path).expect("made");
        large.set_len(FILE_BYTES + 1).expect("grown");
        let error = fixture.load().expect_err("too large").to_string();
        assert!(error.contains("more than 8 MiB"), "{error}");
    }

    #[test]
    fn an_empty_file_is_an_empty_configuration() {
        for text in ["", "\n", " \t\r\n ", "null", "{}"] {
            let config = Fixture::new(text).load().expect(text);
            assert_eq!(config.current_context(), None, "{text:?}");
            assert!(config.proxies("x").is_empty(), "{text:?}");
        }
        let error = Fixture::new("1").load().expect_err("no object").to_string();
        assert!(error.contains("config.json, line 1"), "{error}");
    }

    #[test]
    fn a_broken_file_is_told_with_its_place() {
        let error = Fixture::new("{\n  \"auths\": {,}\n}")
            .load()
            .expect_err("broken");
        let text = error.to_string();
        assert!(text.contains("config.json, line 2, column 13: "), "{text}");
        let error = Fixture::new("{\n\"auths\": {\"a\": \"aHVzaA==\"}}").load();
        let text = error.expect_err("broken").to_string();
        assert!(text.contains("line 2"), "{text}");
        assert!(!text.contains("aHVzaA"), "{text}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let fixture = Fixture::new(r#"{"auths":{"a":{"password":"hush","username":"u"}}}"#)
            .variable(r#"{"auths":{"a":{"auth":"hush"}}}"#);
        let text = format!("{:?}", fixture.load().expect("good"));
        assert!(!text.contains("hush"), "{text}");
        let credential = Credential {
            username: "u".into(),
            secret: "hush".into(),
            is_identity_token: false,
            registry_token: Some("hush".into()),
        };
        assert!(!format!("{credential:?}").contains("hush"));
    }

    #[test]
    fn the_rest_of_the_file() {
        let config = Fixture::new(
            r#"{"currentContext":"","HttpHeaders":{"X-A":"b"},"psFormat":"x",
                "proxies":{"default":{"httpProxy":"http://p","noProxy":""},
                           "tcp://h:1":{"allProxy":"socks"}}}"#,
        )
        .load()
        .expect("good");
        assert_eq!(config.current_context(), None);
        assert_eq!(config.http_headers().collect::<Vec<_>>(), [("X-A", "b")]);
        let names = |host: &str| {
            let proxies = config.proxies(host);
            proxies
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("unix:///x"), ["HTTP_PROXY", "http_proxy"]);
        assert_eq!(names("tcp://h:1"), ["ALL_PROXY", "all_proxy"]);
        let nothing = DockerConfig::load(&Environment::default()).expect("no file is fine");
        assert!(nothing.proxies("x").is_empty());
    }
}
