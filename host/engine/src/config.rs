//! The Docker CLI's configuration: `config.json` and the credentials that it leads to.
//!
//! The rules are those of docker/cli `cli/config/configfile/file.go` and
//! `cli/config/credentials`. Nothing here is ever written, and no secret is ever printed: not by
//! `Debug`, and not in errors.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::credential_helper;
use crate::endpoint::Environment;

/// What Docker Hub's credentials are filed under, whatever its host is called.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The user name by which a credential helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A credential helper's way to say that it has none.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Largest `config.json` that is read, in bytes: one with credentials of a thousand registries, with
/// tokens of 4 KiB each, has half of that.
const FILE_BYTES: u64 = 8 << 20;

/// Most characters of a credential helper's complaint that an error repeats.
const COMPLAINT_CHARACTERS: usize = 1000;

/// What a registry is to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name; empty where the secret is an identity token.
    pub username: String,
    /// Password or identity token.
    pub secret: String,
    /// The secret is an OAuth refresh token, not a password.
    pub is_identity_token: bool,
    /// A token to send to the registry as it is.
    pub registry_token: Option<String>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .field("secret", &"<hidden>")
            .field("is_identity_token", &self.is_identity_token)
            .field(
                "registry_token",
                &self.registry_token.as_ref().map(|_| "<hidden>"),
            )
            .finish()
    }
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The file is not what it should be.
    #[error("{}, line {line}, column {column}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// An entry of `auths` cannot be read.
    #[error(
        "the credentials for {key:?} in {source_name} cannot be read: {reason}; log in again, or \
         remove them"
    )]
    Auth {
        /// The entry.
        key: String,
        /// The file or the variable.
        source_name: String,
        /// What is wrong.
        reason: String,
    },
    /// `DOCKER_AUTH_CONFIG` is not what it should be.
    #[error("DOCKER_AUTH_CONFIG, line {line}, column {column}: {reason}")]
    AuthVariable {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A credential helper does not work.
    #[error("the credential helper {program} for {key:?}, which {} names: {reason}", path.display())]
    Helper {
        /// The program.
        program: String,
        /// What credentials were asked of it.
        key: String,
        /// The file that names it.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

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
    /// Reads `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. Where there is none, that
    /// is an empty configuration.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or is not what it should be.
    pub fn load(env: &Environment) -> Result<Self, ConfigError> {
        let directory = match env.docker_config.as_deref().filter(|d| !d.is_empty()) {
            Some(directory) => PathBuf::from(directory),
            None => env.home.clone().unwrap_or_default().join(".docker"),
        };
        let path = directory.join("config.json");
        let file = match iechor_files::read(&path, FILE_BYTES) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| ConfigError::Parse {
                path,
                line: e.line(),
                column: e.column(),
                reason: wrong(&e),
            })?,
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

    /// The directory of the configuration, where contexts are, too.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file, which need not exist.
    pub fn path(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    /// The context that is used where the environment names no engine.
    pub fn current_context(&self) -> Option<&str> {
        let context = self.file.current_context.as_deref();
        context.filter(|context| !context.is_empty())
    }

    /// Headers for every request to an engine.
    pub fn http_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.file.http_headers.iter().flatten();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The proxies that builds on the engine at `host` are to use, as variables for their
    /// environment, sorted; each in capitals and in small letters. `host` is an endpoint as in
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

    /// What to show to a registry, by its host name (and port where it has one); `None` where it
    /// is to be asked without.
    ///
    /// `DOCKER_AUTH_CONFIG` goes first. Then the helper of `credHelpers` for this registry, else
    /// that of `credsStore`; only where there is no helper, `auths` of the file.
    ///
    /// # Errors
    ///
    /// Where an entry cannot be read, or a helper does not work. A helper that has nothing for
    /// this registry is no error.
    pub async fn credentials(
        &self,
        registry_host: &str,
    ) -> Result<Option<Credential>, ConfigError> {
        let key = match registry_host {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB_KEY,
            other => other,
        };
        if let Some(credential) = self.in_variable(key)? {
            return Ok(Some(credential));
        }
        let of_registry = self.file.cred_helpers.as_ref().and_then(|h| h.get(key));
        // An empty entry turns the helper off for its registry.
        let helper = of_registry.or(self.file.creds_store.as_ref());
        match helper.filter(|helper| !helper.is_empty()) {
            Some(helper) => self.in_helper(helper, key).await,
            None => self.in_file(key),
        }
    }

    fn in_variable(&self, key: &str) -> Result<Option<Credential>, ConfigError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Variable {
            #[serde(default)]
            auths: BTreeMap<String, Entry>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            #[serde(default)]
            auth: String,
        }
        let Some(text) = &self.auth_variable else {
            return Ok(None);
        };
        let variable: Variable =
            serde_json::from_str(text).map_err(|e| ConfigError::AuthVariable {
                line: e.line(),
                column: e.column(),
                reason: wrong(&e),
            })?;
        // As in Go, by its exact name only.
        match variable.auths.get(key) {
            None => Ok(None),
            Some(entry) => decode(&entry.auth)
                .map(Some)
                .map_err(|reason| ConfigError::Auth {
                    key: key.to_owned(),
                    source_name: "DOCKER_AUTH_CONFIG".into(),
                    reason,
                }),
        }
    }

    fn in_file(&self, key: &str) -> Result<Option<Credential>, ConfigError> {
        let Some(auths) = &self.file.auths else {
            return Ok(None);
        };
        let found = auths.get_key_value(key).or_else(|| {
            // Old files have addresses where host names are now.
            auths.iter().find(|(address, _)| host_name(address) == key)
        });
        let Some((name, auth)) = found else {
            return Ok(None);
        };
        let mut credential = match auth.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(encoded) => decode(encoded).map_err(|reason| ConfigError::Auth {
                key: name.clone(),
                source_name: self.path().display().to_string(),
                reason,
            })?,
            None => Credential {
                username: auth.username.clone().unwrap_or_default(),
                secret: auth.password.clone().unwrap_or_default(),
                is_identity_token: false,
                registry_token: None,
            },
        };
        if let Some(token) = auth
            .identitytoken
            .as_ref()
            .filter(|token| !token.is_empty())
        {
            credential.username = String::new();
            credential.secret.clone_from(token);
            credential.is_identity_token = true;
        }
        let token = auth.registrytoken.as_ref();
        credential.registry_token = token.filter(|token| !token.is_empty()).cloned();
        // An entry may hold an e-mail address only.
        let empty = credential.secret.is_empty() && credential.registry_token.is_none();
        Ok((!empty).then_some(credential))
    }

    async fn in_helper(&self, helper: &str, key: &str) -> Result<Option<Credential>, ConfigError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            username: String,
            #[serde(default)]
            secret: String,
        }
        let program = format!("docker-credential-{helper}");
        let failed = |reason: String| ConfigError::Helper {
            program: program.clone(),
            key: key.to_owned(),
            path: self.path(),
            reason,
        };
        let place = find_program(&program, self.helper_path.as_deref()).ok_or_else(|| {
            failed("it is in none of the directories of PATH; install it, or log in again".into())
        })?;
        let said = credential_helper::ask(&place, key).await.map_err(failed)?;
        if !said.status.success() {
            let answer = String::from_utf8_lossy(&said.stdout);
            let answer = answer.trim();
            if answer == NOT_FOUND {
                return Ok(None);
            }
            let complaint = String::from_utf8_lossy(&said.stderr);
            let words = [answer, complaint.trim()]
                .into_iter()
                .find(|words| !words.is_empty())
                .unwrap_or("it says nothing");
            let words: String = words.chars().take(COMPLAINT_CHARACTERS).collect();
            return Err(failed(format!("{words} ({})", said.status)));
        }
        // Its answer is a secret whatever it looks like, and is not repeated.
        let answer: Answer = serde_json::from_slice(&said.stdout).map_err(|e| {
            failed(format!(
                "its answer is not what it should be: {}",
                wrong(&e)
            ))
        })?;
        if answer.secret.is_empty() {
            return Ok(None);
        }
        let is_identity_token = answer.username == TOKEN_USER;
        Ok(Some(Credential {
            username: if is_identity_token {
                String::new()
            } else {
                answer.username
            },
            secret: answer.secret,
            is_identity_token,
            registry_token: None,
        }))
    }
}

/// What serde says is wrong, without the values that it saw: they may be secrets.
fn wrong(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => "there is a value of another kind than there should \
                                              be, or an entry that should not be there"
            .into(),
        _ => {
            let words = error.to_string();
            match words.rfind(" at line ") {
                Some(end) => words[..end].to_owned(),
                None => words,
            }
        }
    }
}

/// `user:password` in base64.
fn decode(encoded: &str) -> Result<Credential, String> {
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| "`auth` is not base64".to_owned())?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not text".to_owned())?;
    let Some((username, secret)) = text.split_once(':') else {
        return Err("`auth` has no user and password with a colon between".into());
    };
    Ok(Credential {
        username: username.to_owned(),
        secret: secret.trim_matches('\0').to_owned(),
        is_identity_token: false,
        registry_token: None,
    })
}

/// `ConvertToHostname` of docker/cli.
fn host_name(address: &str) -> &str {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host);
    match host.rsplit_once('@') {
        Some((_, host)) if address.contains("://") => host,
        _ => host,
    }
}

/// Looks in `PATH` itself: what a process is started with is no matter of the environment alone.
fn find_program(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    std::env::split_paths(path?)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Fixture {
        directory: tempfile::TempDir,
        variable: Option<String>,
    }

    impl Fixture {
        fn new(json: &str) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            std::fs::write(directory.path().join("config.json"), json).expect("written");
            Self {
                directory,
                variable: None,
            }
        }

        /// A helper that answers `get` for what it is asked by `script`.
        fn helper(self, name: &str, script: &str) -> Self {
            let file = self
                .directory
                .path()
                .join(format!("docker-credential-{name}"));
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&file, mode).expect("set");
            self
        }

        fn variable(mut self, value: &str) -> Self {
            self.variable = Some(value.into());
            self
        }

        fn load(&self) -> Result<DockerConfig, ConfigError> {
            DockerConfig::load(&Environment {
                docker_config: Some(self.directory.path().display().to_string()),
                docker_auth_config: self.variable.clone(),
                path: Some(self.directory.path().into()),
                ..Environment::default()
            })
        }

        async fn get(&self, host: &str) -> String {
            match self.load().expect("good").credentials(host).await {
                Ok(None) => "none".into(),
                Ok(Some(c)) => format!("{}:{}:{}", c.username, c.secret, c.is_identity_token),
                Err(e) => format!("error: {e}"),
            }
        }
    }

    fn auth(text: &str) -> String {
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

    #[tokio::test]
    async fn a_helper_that_says_too_much_is_ended() {
        let config = r#"{"credHelpers":{"r.example":"loud","w.example":"wordy"}}"#;
        let fixture = Fixture::new(config)
            .helper("loud", "exec cat /dev/zero")
            .helper("wordy", "exec cat /dev/zero >&2");
        for host in ["r.example", "w.example"] {
            let said = fixture.get(host).await;
            assert!(said.contains("says more than 1 MiB"), "{said}");
        }
    }

    // The clock jumps ahead where everybody waits, so that this takes no time.
    #[tokio::test(start_paused = true)]
    async fn a_helper_that_does_not_answer_is_not_waited_for() {
        let fixture = Fixture::new(r#"{"credsStore":"slow"}"#).helper("slow", "exec sleep 1000");
        let said = fixture.get("r.example").await;
        assert!(said.contains("did not answer within 120 s"), "{said}");
    }

    #[tokio::test]
    async fn from_the_file() {
        let fixture = Fixture::new(&format!(
            r#"{{"auths":{{
                "https://index.docker.io/v1/":{{"auth":"{hub}"}},
                "r.example:5000":{{"username":"u","password":"p"}},
                "https://old.example/v1/":{{"auth":"{old}"}},
                "https://user@ported.example:7/v1":{{"auth":"{old}"}},
                "token.example":{{"auth":"{old}","identitytoken":"idt"}},
                "empty.example":{{}},
                "bad64.example":{{"auth":"%%%"}},
                "nocolon.example":{{"auth":"{nocolon}"}}
            }}}}"#,
            hub = auth("hub:pa:ss"),
            old = auth("old:secret\0\0"),
            nocolon = auth("hush"),
        ));
        for (host, expected) in [
            ("docker.io", "hub:pa:ss:false"),
            ("registry-1.docker.io", "hub:pa:ss:false"),
            ("index.docker.io", "hub:pa:ss:false"),
            ("r.example:5000", "u:p:false"),
            ("r.example", "none"),
            ("old.example", "old:secret:false"),
            ("ported.example:7", "old:secret:false"),
            ("token.example", ":idt:true"),
            ("empty.example", "none"),
        ] {
            assert_eq!(fixture.get(host).await, expected, "{host}");
        }
        let error = fixture.get("bad64.example").await;
        assert!(error.contains("\"bad64.example\" in /"), "{error}");
        assert!(error.contains("not base64"), "{error}");
        let error = fixture.get("nocolon.example").await;
        assert!(
            error.contains("colon") && !error.contains("hush"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn from_helpers() {
        let fixture = Fixture::new(&format!(
            r#"{{"credsStore":"all","credHelpers":{{"one.example":"one","off.example":"",
                 "gone.example":"gone","bad.example":"bad","odd.example":"odd",
                 "climb.example":"../../bin/x"}},
                 "auths":{{"off.example":{{"auth":"{0}"}},"none.example":{{"auth":"{0}"}}}}}}"#,
            auth("file:file"),
        ))
        .helper(
            "all",
            r#"read -r url
               case "$1 $url" in
               "get https://index.docker.io/v1/") echo '{"ServerURL":"x","Username":"hub","Secret":"s"}';;
               *) echo "credentials not found in native keychain"; exit 1;;
               esac"#,
        )
        .helper("one", r#"cat >/dev/null; echo '{"Username":"<token>","Secret":"t"}'"#)
        .helper("bad", r#"echo "the keychain is locked"; exit 3"#)
        .helper("odd", r#"echo '{"Username":"u","Secret":["hush"]}'"#);
        for (host, expected) in [
            ("docker.io", "hub:s:false"),
            ("one.example", ":t:true"),
            ("off.example", "file:file:false"),
            // A helper is asked alone: what the file has beside it is not used.
            ("none.example", "none"),
        ] {
            assert_eq!(fixture.get(host).await, expected, "{host}");
        }
        for (host, expected) in [
            (
                "gone.example",
                "docker-credential-gone for \"gone.example\"",
            ),
            ("gone.example", "none of the directories of PATH"),
            ("bad.example", "the keychain is locked (exit status: 3)"),
            ("odd.example", "not what it should be"),
            ("climb.example", "none of the directories of PATH"),
        ] {
            let error = fixture.get(host).await;
            assert!(error.contains(expected), "{host}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[tokio::test]
    async fn the_variable_goes_first() {
        let json = r#"{"auths":{"a.example":{"username":"f","password":"f"},
                                "b.example":{"username":"f","password":"f"}}}"#;
        let fixture = Fixture::new(json).variable(&format!(
            r#"{{"auths":{{"a.example":{{"auth":"{}"}}}}}}"#,
            auth("v:v")
        ));
        assert_eq!(fixture.get("a.example").await, "v:v:false");
        assert_eq!(fixture.get("b.example").await, "f:f:false");
        let fixture = Fixture::new(json).variable(r#"{"auths":{"a.example":{"password":"hush"}}}"#);
        let error = fixture.get("b.example").await;
        assert!(error.contains("DOCKER_AUTH_CONFIG, line 1"), "{error}");
        assert!(!error.contains("hush"), "{error}");
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
