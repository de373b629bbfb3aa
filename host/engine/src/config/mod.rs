//! The Docker CLI's configuration: `config.json`, and the credentials that it leads to.
//!
//! The rules are those of docker/cli `cli/config/configfile/file.go` and `cli/config/credentials`.
//! This module writes nothing but the seeds of `token_seed`, and never prints a secret: neither with `Debug` nor in
//! errors.

mod credential_helper;
mod credentials;
mod error;
mod file;
mod token_seed;

use std::fmt;
use std::path::{Path, PathBuf};

pub use self::credentials::{Credential, HUB_KEY};
pub use self::error::{AuthFault, ConfigError, HelperFault};
use self::file::File;
use crate::environment::Environment;

/// Name of the file.
const FILE: &str = "config.json";

/// The Docker CLI's configuration.
#[derive(Clone, Default)]
pub struct DockerConfig {
    directory: PathBuf,
    file: File,
    faults: Vec<ConfigError>,
    auth_variable: Option<String>,
    helper_path: Option<std::ffi::OsString>,
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
    /// Reads `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. A file that is missing or empty
    /// is an empty configuration, as for the Docker CLI. What cannot be used is left out, see
    /// [`DockerConfig::faults`].
    pub fn load(env: &Environment) -> Self {
        Self::load_from(Self::directory_of(env), env)
    }

    /// Returns the directory of the configuration that an environment names.
    pub fn directory_of(env: &Environment) -> PathBuf {
        match env.docker_config.as_deref().filter(|d| !d.is_empty()) {
            Some(directory) => PathBuf::from(directory),
            None => env.home.clone().unwrap_or_default().join(".docker"),
        }
    }

    /// Reads `config.json` in a directory, like [`DockerConfig::load`].
    pub fn load_from(directory: PathBuf, env: &Environment) -> Self {
        let (file, faults) = file::read(&directory.join(FILE));
        Self {
            directory,
            file,
            faults,
            auth_variable: env.docker_auth_config.clone().filter(|v| !v.is_empty()),
            helper_path: env.path.clone(),
        }
    }

    /// Returns why entries, or the whole file, are left out. What needs one of the credentials among
    /// them fails with that error.
    pub fn faults(&self) -> &[ConfigError] {
        &self.faults
    }

    /// Returns the configuration if nothing of it is left out.
    ///
    /// # Errors
    ///
    /// Its first fault.
    pub fn without_faults(mut self) -> Result<Self, ConfigError> {
        match self.faults.is_empty() {
            true => Ok(self),
            false => Err(self.faults.remove(0)),
        }
    }

    /// Reads the contents of a `config.json`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn from_json(text: &[u8]) -> Self {
        let (file, faults) = file::parse(Path::new(FILE), text);
        Self {
            file,
            faults,
            ..Self::default()
        }
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
        let headers = self.file.http_headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the filters for every removal of unused objects, each `NAME=VALUE`.
    pub fn prune_filters(&self) -> &[String] {
        &self.file.prune_filters
    }

    /// Returns the proxies for builds on the engine at `host`, as environment variables, sorted,
    /// each in upper and in lower case. `host` is an endpoint such as
    /// `unix:///var/run/docker.sock`.
    pub fn proxies(&self, host: &str) -> Vec<(String, String)> {
        let all = &self.file.proxies;
        let Some(proxy) = all.get(host).or_else(|| all.get("default")) else {
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

        pub(super) fn load(&self) -> DockerConfig {
            DockerConfig::load(&Environment {
                docker_config: Some(self.directory.path().display().to_string()),
                docker_auth_config: self.variable.clone(),
                path: Some(self.directory.path().into()),
                ..Environment::default()
            })
        }

        pub(super) async fn get(&self, host: &str) -> String {
            match self.load().credentials(host).await {
                Ok(None) => "none".into(),
                Ok(Some(c)) => format!("{}:{}:{}", c.username, c.secret, c.is_identity_token),
                Err(e) => format!("error: {e}"),
            }
        }
    }

    /// Returns the only fault of a configuration, which is empty then.
    #[track_caller]
    fn fault(fixture: &Fixture) -> String {
        let config = fixture.load();
        assert_eq!(config.current_context(), None);
        match config.faults() {
            [fault] => fault.to_string(),
            faults => panic!("{faults:?}"),
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
            let error = fault(&fixture);
            assert!(error.contains(words), "{error}");
            std::fs::remove_file(&path).expect("removed");
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("made");
        let error = fault(&fixture);
        assert!(error.contains("a named pipe"), "{error}");
        std::fs::remove_file(&path).expect("removed");
        let large = std::fs::File::create(&path).expect("made");
        large.set_len(file::FILE_BYTES + 1).expect("grown");
        let error = fault(&fixture);
        assert!(error.contains("more than 8 MiB"), "{error}");
    }

    #[test]
    fn an_empty_file_is_an_empty_configuration() {
        for text in ["", "\n", " \t\r\n ", "null", "{}", "\u{feff}", "\u{feff}{}"] {
            let config = Fixture::new(text).load();
            assert_eq!(config.faults(), [], "{text:?}");
            assert_eq!(config.current_context(), None, "{text:?}");
            assert!(config.proxies("x").is_empty(), "{text:?}");
        }
        let marked = Fixture::new("\u{feff}{\"currentContext\":\"c\"}").load();
        assert_eq!(marked.current_context(), Some("c"));
        let error = fault(&Fixture::new("1"));
        assert!(error.contains("config.json, line 1"), "{error}");
    }

    #[test]
    fn a_broken_file_is_told_with_its_place() {
        let text = fault(&Fixture::new("{\n  \"auths\": {,}\n}"));
        assert!(text.contains("config.json, line 2, column 13: "), "{text}");
    }

    #[tokio::test]
    async fn a_wrong_entry_is_left_out_and_the_rest_is_used() {
        let fixture = Fixture::new(&format!(
            r#"{{"auths":{{"a":"aHVzaA==","b":{{"auth":"{}"}},"c":null}},"credHelpers":{{"h":7}},
                "credsStore":[],"currentContext":{{}},"HttpHeaders":{{"X-A":1,"X-B":"b"}},
                "proxies":{{"default":"p","tcp://h:1":{{"httpProxy":"http://p"}}}},"psFormat":7}}"#,
            auth("u:p")
        ));
        let config = fixture.load();
        let faults: Vec<_> = config.faults().iter().map(ToString::to_string).collect();
        let entries = [
            "auths.\"a\"",
            "credsStore",
            "credHelpers.\"h\"",
            "currentContext",
            "HttpHeaders.\"X-A\"",
            "proxies.\"default\"",
        ];
        assert_eq!(faults.len(), entries.len(), "{faults:#?}");
        for (fault, entry) in faults.iter().zip(entries) {
            assert!(
                fault.contains(entry) && fault.contains("config.json"),
                "{fault}"
            );
            assert!(!fault.contains("aHVzaA"), "{fault}");
        }
        assert_eq!(config.current_context(), None);
        assert_eq!(config.http_headers().collect::<Vec<_>>(), [("X-B", "b")]);
        assert_eq!(config.proxies("tcp://h:1").len(), 2);
        assert_eq!(fixture.get("b").await, "u:p:false");
        assert_eq!(fixture.get("c").await, "none");
        // What needs a wrong entry fails.
        for host in ["a", "h"] {
            let said = fixture.get(host).await;
            assert!(said.starts_with("error: ") && said.contains(host), "{said}");
        }
        assert!(config.without_faults().is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let fixture = Fixture::new(r#"{"auths":{"a":{"password":"hush","username":"u"}}}"#)
            .variable(r#"{"auths":{"a":{"auth":"hush"}}}"#);
        let text = format!("{:?}", fixture.load());
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
        .load();
        assert_eq!(config.faults(), []);
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
        let nothing = DockerConfig::load(&Environment::default());
        assert!(nothing.proxies("x").is_empty());
    }
}
