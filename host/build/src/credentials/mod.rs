//! Access to registries: credentials from the configuration of the Docker CLI, and tokens that are fetched with them.
//! They are for the daemon, and for this program if it pushes itself.

mod scoped;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use iechor_builder::Workspace;
use iechor_buildkit::session::auth::{
    Credential, CredentialSource, Token, TokenAuthority, TokenRequest,
};
use iechor_engine::config::{self, DockerConfig};
use iechor_progress::vertex::{StatusSender, Vertex};
use iechor_registry::Login;

use scoped::{ScopedLogins, Scopes};

/// Time for which credentials are used again. A helper's answer may be valid for five minutes, and BuildKit uses the
/// same time.
const LIFETIME: Duration = Duration::from_secs(4 * 60 + 50);

/// Registries of Docker that accept the login of Docker Hub, and Docker Hub, as docker buildx has them.
const HUB_REGISTRIES: [&str; 2] = ["dhi.io", "registry.scout.docker.com"];
const HUB: &str = "registry-1.docker.io";

/// Answers requests of the daemon from the configuration of the Docker CLI.
pub(crate) struct DockerCredentials {
    config: Arc<DockerConfig>,
    scoped: ScopedLogins,
    /// Whether this side fetches tokens.
    fetches_tokens: bool,
    status: StatusSender,
    /// What was found, by configuration and host. The lock is held while a helper runs, so each helper runs once.
    found: tokio::sync::Mutex<HashMap<String, (Instant, Option<config::Credential>)>>,
    /// The steps that were reported already.
    reported: Mutex<HashSet<String>>,
}

impl DockerCredentials {
    pub(crate) fn new(workspace: &Workspace, fetches_tokens: bool, status: &StatusSender) -> Self {
        let directory = workspace.store.directory();
        Self {
            config: Arc::clone(&workspace.config),
            scoped: ScopedLogins::find(directory, workspace.environment.clone()),
            fetches_tokens,
            status: status.clone(),
            found: tokio::sync::Mutex::default(),
            reported: Mutex::default(),
        }
    }

    async fn find(
        &self,
        host: &str,
        scopes: &Scopes,
    ) -> Result<Option<config::Credential>, String> {
        let found = self.find_for(host, scopes).await?;
        if found.is_none() && HUB_REGISTRIES.contains(&host) {
            return self.find_for(HUB, scopes).await;
        }
        Ok(found)
    }

    async fn find_for(
        &self,
        host: &str,
        scopes: &Scopes,
    ) -> Result<Option<config::Credential>, String> {
        let (config, place) = match self.scoped.config(host, scopes) {
            Some((directory, config)) => (Arc::new(config.map_err(|e| e.to_string())?), directory),
            None => (Arc::clone(&self.config), String::new()),
        };
        let repository = scopes.repository();
        // A helper is not asked again for each repository.
        let repository = repository.filter(|_| config.has_logins_for_repositories(host));
        let key = format!("{place}|{host}|{}", repository.unwrap_or_default());
        let mut found = self.found.lock().await;
        if let Some((since, credential)) = found.get(&key)
            && since.elapsed() < LIFETIME
        {
            return Ok(credential.clone());
        }
        let credential = config.credentials_for(host, repository).await;
        let credential = credential.map_err(|error| error.to_string())?;
        found.insert(key, (Instant::now(), credential.clone()));
        Ok(credential)
    }

    /// Returns the credentials with which this program pushes to a repository.
    ///
    /// # Errors
    ///
    /// Returns the reason why the credentials cannot be read.
    pub(crate) async fn to_push(
        &self,
        host: &str,
        repository: &str,
    ) -> Result<iechor_registry::Credential, String> {
        use iechor_registry::Credential;
        let scopes = Scopes::parse(&[format!("repository:{repository}:pull,push")]);
        let Some(found) = self.find(host, &scopes).await? else {
            return Ok(Credential::Anonymous);
        };
        Ok(match found.registry_token {
            Some(token) => Credential::Token(token),
            None if found.secret.is_empty() => Credential::Anonymous,
            None if found.is_identity_token => Credential::Identity(found.secret),
            None => Credential::Password {
                username: found.username,
                password: found.secret,
            },
        })
    }

    /// Reports a step of the build, once, as docker buildx does.
    fn report(&self, name: String, outcome: Result<(), String>) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.insert(name.clone()) {
            // The forwarder ends by itself.
            let (vertex, _) = Vertex::begin(&name, self.status.clone());
            vertex.end(outcome);
        }
    }
}

#[async_trait]
impl CredentialSource for DockerCredentials {
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String> {
        let found = self.find(host, &Scopes::default()).await;
        let found = found.map(|found| {
            found
                .filter(|found| !found.secret.is_empty())
                .map(|found| Credential {
                    // In the protocol, an identity token has no user name.
                    username: match found.is_identity_token {
                        true => String::new(),
                        false => found.username,
                    },
                    secret: found.secret,
                })
        });
        if !matches!(found, Ok(None)) {
            let outcome = found.as_ref().map(|_| ()).map_err(Clone::clone);
            self.report(format!("[auth] sharing credentials for {host}"), outcome);
        }
        found
    }

    async fn token_authority(&self, host: &str) -> Result<TokenAuthority, String> {
        if !self.fetches_tokens {
            return Ok(TokenAuthority::Daemon);
        }
        let found = self.find(host, &Scopes::default()).await?;
        // Tokens that a login for a repository gets are not for users without it.
        if found.is_none() && !self.scoped.has(host) {
            return Ok(TokenAuthority::Anonymous);
        }
        let (config, host) = (Arc::clone(&self.config), host.to_owned());
        tokio::task::spawn_blocking(move || config.token_seed(&host))
            .await
            .map(TokenAuthority::Seed)
            .map_err(|error| error.to_string())
    }

    async fn token(&self, request: TokenRequest) -> Result<Token, String> {
        let scopes = Scopes::parse(&request.scopes).of_one_repository();
        let found = self.find(&request.host, &scopes).await?;
        if let Some(token) = found
            .as_ref()
            .and_then(|found| found.registry_token.clone())
        {
            return Ok(Token {
                token,
                lifetime: 0,
                issued: 0,
            });
        }
        let found = found.filter(|found| !found.secret.is_empty());
        let (login, kind) = match &found {
            None => (Login::Anonymous, "anonymous"),
            Some(found) if found.is_identity_token => (Login::Identity(&found.secret), "oauth"),
            Some(found) => {
                let (username, password) = (found.username.as_str(), found.secret.as_str());
                (Login::Password { username, password }, "oauth")
            }
        };
        let fetched = iechor_registry::TokenRequest {
            host: &request.host,
            realm: &request.realm,
            service: &request.service,
            scopes: &request.scopes,
        };
        if found.is_some() {
            let names = request.scopes.iter();
            let names = names.map(|scope| scope.strip_prefix("repository:").unwrap_or(scope));
            let names = names.collect::<Vec<_>>().join(" ");
            self.report(format!("[auth] {names} token for {}", request.host), Ok(()));
        }
        let issued = iechor_registry::fetch_token(fetched, login).await;
        // docker buildx begins with the same.
        let issued = issued.map_err(|error| format!("failed to fetch {kind} token: {error}"))?;
        Ok(Token {
            token: issued.token,
            lifetime: issued.lifetime,
            issued: issued.issued,
        })
    }
}
