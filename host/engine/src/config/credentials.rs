//! Credentials for registries: where they are looked up, and how they are stored.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::DockerConfig;
use super::credential_helper;
use super::error::{AuthFault, AuthSource, ConfigError, HelperFault, json_fault};

/// Key under which the credentials of Docker Hub are stored, whatever its host is called.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// User name by which a credential helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// Answer of a credential helper that has no credentials for a registry.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Maximum number of characters of a credential helper's complaint that an error repeats.
const COMPLAINT_CHARACTERS: usize = 1000;

/// Credentials for a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// User name; empty if the secret is an identity token.
    pub username: String,
    /// Password or identity token.
    pub secret: String,
    /// Whether the secret is an OAuth refresh token instead of a password.
    pub is_identity_token: bool,
    /// Token to send to the registry unchanged.
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

impl DockerConfig {
    /// Returns the credentials for a registry, by its host name and optional port; `None` if there
    /// are none. They are those of [`DockerConfig::credentials_for`] without a repository.
    ///
    /// # Errors
    ///
    /// Those of [`DockerConfig::credentials_for`].
    pub async fn credentials(
        &self,
        registry_host: &str,
    ) -> Result<Option<Credential>, ConfigError> {
        self.credentials_for(registry_host, None).await
    }

    /// Returns the credentials for a repository of a registry, or for the registry; `None` if there are none.
    ///
    /// `DOCKER_AUTH_CONFIG` takes precedence, then the helper that `credHelpers` names for this
    /// registry, then that of `credsStore`. `auths` of the file is used only if there is no helper; there,
    /// an entry `HOST/NAMESPACE` takes precedence over `HOST` for the repositories of that namespace.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Auth`], [`ConfigError::AuthVariable`] and [`ConfigError::Helper`], and
    /// [`ConfigError::Entry`] if the entry for this registry is wrong. A helper
    /// that has no credentials for this registry is not an error.
    pub async fn credentials_for(
        &self,
        registry_host: &str,
        repository: Option<&str>,
    ) -> Result<Option<Credential>, ConfigError> {
        let key = match registry_host {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB_KEY,
            other => other,
        };
        if let Some(credential) = self.in_variable(key)? {
            return Ok(Some(credential));
        }
        let of_registry = self.file.cred_helpers.get(key);
        let of_registry = of_registry.map(Result::as_ref).transpose();
        let of_registry = of_registry.map_err(Clone::clone)?;
        // An empty entry disables the helper for its registry.
        let helper = of_registry.or(self.file.creds_store.as_ref());
        match helper.filter(|helper| !helper.is_empty()) {
            Some(helper) => self.in_helper(helper, key).await,
            None => self.in_file(key, repository),
        }
    }

    /// Returns whether the credentials for a registry depend on the repository.
    pub fn has_logins_for_repositories(&self, registry_host: &str) -> bool {
        let start = format!("{registry_host}/");
        let mut keys = self.file.auths.iter();
        keys.any(|(key, _)| key.starts_with(&start))
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
                reason: json_fault(&e),
            })?;
        // Like the Docker CLI: by its exact name only.
        match variable.auths.get(key) {
            None => Ok(None),
            Some(entry) => decode(&entry.auth)
                .map(Some)
                .map_err(|fault| ConfigError::Auth {
                    key: key.to_owned(),
                    origin: AuthSource::Variable,
                    fault,
                }),
        }
    }

    fn in_file(
        &self,
        key: &str,
        repository: Option<&str>,
    ) -> Result<Option<Credential>, ConfigError> {
        let auths = &self.file.auths;
        let scoped = namespaces(repository.unwrap_or_default())
            .find_map(|namespace| auths.get_key_value(&format!("{key}/{namespace}")));
        let found = scoped.or_else(|| auths.get_key_value(key)).or_else(|| {
            // Old files have URLs instead of host names. The Docker CLI accepts any path.
            auths.iter().find(|(address, _)| host_name(address) == key)
        });
        let Some((name, auth)) = found else {
            return Ok(None);
        };
        let auth = auth.as_ref().map_err(Clone::clone)?;
        let mut credential = match auth.auth.as_deref().filter(|auth| !auth.is_empty()) {
            Some(encoded) => decode(encoded).map_err(|fault| ConfigError::Auth {
                key: name.clone(),
                origin: AuthSource::File(self.path()),
                fault,
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
        let failed = |fault| ConfigError::Helper {
            program: program.clone(),
            key: key.to_owned(),
            path: self.path(),
            fault,
        };
        let place = find_program(&program, self.helper_path.as_deref())
            .ok_or_else(|| failed(HelperFault::NotInstalled))?;
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
                .unwrap_or_default();
            return Err(failed(HelperFault::Failed {
                complaint: words.chars().take(COMPLAINT_CHARACTERS).collect(),
                status: said.status,
            }));
        }
        // The answer may be a secret, whatever it looks like. No error repeats it.
        let answer: Answer = serde_json::from_slice(&said.stdout)
            .map_err(|e| failed(HelperFault::Answer(json_fault(&e))))?;
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

/// Returns a repository and the namespaces that contain it, from the innermost one.
fn namespaces(repository: &str) -> impl Iterator<Item = &str> {
    let first = Some(repository).filter(|repository| !repository.is_empty());
    std::iter::successors(first, |name| name.rsplit_once('/').map(|(outer, _)| outer))
}

/// Reads `user:password` in base64.
fn decode(encoded: &str) -> Result<Credential, AuthFault> {
    let bytes = STANDARD.decode(encoded).map_err(|_| AuthFault::NotBase64)?;
    let text = String::from_utf8(bytes).map_err(|_| AuthFault::NotText)?;
    let Some((username, secret)) = text.split_once(':') else {
        return Err(AuthFault::NoColon);
    };
    Ok(Credential {
        username: username.to_owned(),
        secret: secret.trim_matches('\0').to_owned(),
        is_identity_token: false,
        registry_token: None,
    })
}

/// Returns the host name in an address, like `ConvertToHostname` of docker/cli.
fn host_name(address: &str) -> &str {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or(host);
    match host.rsplit_once('@') {
        Some((_, host)) if address.contains("://") => host,
        _ => host,
    }
}

/// Finds a program in `path`. The process's own `PATH` is not used, so that tests can pass another.
fn find_program(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    std::env::split_paths(path?)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests;
