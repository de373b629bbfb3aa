//! Components in OCI registries.
//!
//! oci-client pushes. What is fetched is read here, so that no registry can send more than there is
//! room for.

mod layout;
mod token;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;

pub use layout::Contents;

use crate::digest::Digest;
use crate::error::{self, RegistryError};
use crate::{Artifact, Credential, Fetched, Location, Request, Resolved, Source, web};

/// Most bytes of a manifest; registries commonly refuse larger ones.
const MANIFEST_BYTES: u64 = 4 << 20;

/// An artifact that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is, pinned to the digest of its manifest.
    pub pinned: Source,
    /// Digest of the component.
    pub digest: Digest,
}

pub(crate) async fn fetch(
    artifact: &Artifact,
    pin: Option<&Digest>,
    request: &Request<'_>,
) -> Result<Fetched, RegistryError> {
    let registry = Registry::to_pull(artifact, &request.credential).await?;
    let found = registry.component(artifact, pin, request.limit).await?;
    let path = format!("blobs/{}", found.digest);
    let what = format!("the component of {artifact}");
    let answer = registry.get(&path, &[], &what).await?;
    let bytes = web::read(answer, &what, request.limit, request.progress).await?;
    error::check(&what, Some(&found.digest), &Digest::of(&bytes))?;
    Ok(Fetched {
        bytes,
        digest: found.digest,
        pinned: found.pinned,
    })
}

pub(crate) async fn resolve(
    artifact: &Artifact,
    pin: Option<&Digest>,
    request: &Request<'_>,
) -> Result<Resolved, RegistryError> {
    let registry = Registry::to_pull(artifact, &request.credential).await?;
    registry.component(artifact, pin, request.limit).await
}

/// Pushes a component under the artifact's tag.
///
/// # Errors
///
/// Where the registry refuses it or cannot be reached.
pub async fn push(
    artifact: &Artifact,
    component: Vec<u8>,
    contents: &Contents,
    credential: &Credential,
) -> Result<Pushed, RegistryError> {
    let parts = layout::parts(&component, contents).map_err(|error| RegistryError::Answer {
        url: artifact.to_string(),
        reason: error.to_string(),
    })?;
    let registry = Registry::to_push(artifact, credential).await?;
    let digest = Digest::of(&component);
    let manifest_digest = Digest::of(&parts.manifest);
    let failed = |error| registry.failure(error);
    let (client, reference) = (&registry.client, &registry.reference);
    client
        .push_blob(reference, component, digest.as_str())
        .await
        .map_err(failed)?;
    let config_digest = Digest::of(&parts.config);
    client
        .push_blob(reference, parts.config, config_digest.as_str())
        .await
        .map_err(failed)?;
    client
        .push_manifest_raw(
            reference,
            parts.manifest,
            HeaderValue::from_static(layout::MANIFEST),
        )
        .await
        .map_err(failed)?;
    let tagged = Artifact {
        tag: Some(artifact.tag_or_latest().to_owned()),
        ..artifact.clone()
    };
    Ok(Pushed {
        pinned: Source {
            location: Location::Registry(tagged),
            digest: Some(manifest_digest),
        },
        digest,
    })
}

/// A registry that has said how it wants to be asked.
struct Registry {
    client: Client,
    reference: Reference,
    scheme: &'static str,
    repository: String,
    credential: Credential,
    /// What the registry's own authority gave for the credential.
    token: Option<String>,
}

impl Registry {
    async fn to_pull(artifact: &Artifact, credential: &Credential) -> Result<Self, RegistryError> {
        let mut registry = Self::new(artifact, credential)?;
        registry.token = token::to_pull(&registry.root(), artifact, credential).await?;
        Ok(registry)
    }

    async fn to_push(artifact: &Artifact, credential: &Credential) -> Result<Self, RegistryError> {
        let registry = Self::new(artifact, credential)?;
        let shown = match credential {
            Credential::Anonymous => RegistryAuth::Anonymous,
            Credential::Password { username, password } => {
                RegistryAuth::Basic(username.clone(), password.clone())
            }
            Credential::Token(token) => RegistryAuth::Bearer(token.clone()),
        };
        let asked = registry
            .client
            .auth(&registry.reference, &shown, RegistryOperation::Push)
            .await;
        asked.map_err(|error| registry.failure(error))?;
        Ok(registry)
    }

    fn new(artifact: &Artifact, credential: &Credential) -> Result<Self, RegistryError> {
        web::install_cryptography();
        let reference = Reference::with_tag(
            artifact.registry.clone(),
            artifact.repository.clone(),
            artifact.tag_or_latest().to_owned(),
        );
        let (protocol, scheme) = if artifact.is_local() {
            (ClientProtocol::Http, "http")
        } else {
            (ClientProtocol::Https, "https")
        };
        // A proxy that is not used for this machine takes the place of those that the environment names.
        let no_proxy = artifact
            .is_local()
            .then_some(("http://localhost", "localhost,127.0.0.0/8,::1"));
        let client = Client::try_from(ClientConfig {
            http_proxy: no_proxy.map(|(nobody, _)| nobody.into()),
            no_proxy: no_proxy.map(|(_, here)| here.into()),
            protocol,
            connect_timeout: Some(web::CONNECT),
            read_timeout: Some(web::SILENCE),
            user_agent: web::USER_AGENT,
            ..ClientConfig::default()
        });
        Ok(Self {
            scheme,
            client: client.map_err(|error| failure(&artifact.registry, credential, error))?,
            repository: artifact.repository.clone(),
            reference,
            credential: credential.clone(),
            token: None,
        })
    }

    /// Scheme and host.
    fn root(&self) -> String {
        format!("{}://{}", self.scheme, self.reference.resolve_registry())
    }

    fn failure(&self, error: OciDistributionError) -> RegistryError {
        failure(self.reference.registry(), &self.credential, error)
    }

    /// Finds the component of an artifact by its manifest.
    async fn component(
        &self,
        artifact: &Artifact,
        pin: Option<&Digest>,
        limit: u64,
    ) -> Result<Resolved, RegistryError> {
        let what = artifact.to_string();
        let version = pin.map_or(artifact.tag_or_latest(), Digest::as_str);
        let answer = self
            .get(&format!("manifests/{version}"), layout::ACCEPTED, &what)
            .await?;
        let manifest = web::read(answer, &what, MANIFEST_BYTES, &|_, _| {}).await?;
        let manifest_digest = Digest::of(&manifest);
        error::check(&format!("the manifest of {what}"), pin, &manifest_digest)?;
        let found = layout::component(&manifest);
        let (digest, size) = found.map_err(|reason| RegistryError::NotAComponent {
            what: what.clone(),
            reason: web::line(&reason),
        })?;
        if size > limit {
            return Err(RegistryError::TooLarge { what, limit });
        }
        Ok(Resolved {
            digest,
            pinned: Source {
                location: Location::Registry(artifact.clone()),
                digest: Some(manifest_digest),
            },
        })
    }

    async fn get(
        &self,
        path: &str,
        accepted: &[&str],
        what: &str,
    ) -> Result<reqwest::Response, RegistryError> {
        let url = format!("{}/v2/{}/{path}", self.root(), self.repository);
        let mut request = web::client(&url)?.get(&url);
        if !accepted.is_empty() {
            request = request.header(ACCEPT, accepted.join(", "));
        }
        request = match (&self.token, &self.credential) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Credential::Password { username, password }) => {
                request.basic_auth(username, Some(password))
            }
            (None, Credential::Token(token)) => request.bearer_auth(token),
            (None, Credential::Anonymous) => request,
        };
        let answer = request.send().await;
        let answer = answer.map_err(|error| web::failed(&url, &error))?;
        let host = self.reference.registry();
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(unauthorized(host, &self.credential))
            }
            status => {
                let words = complaint(&web::words(answer).await);
                let said = match (words.is_empty(), status) {
                    (true, _) => status.to_string(),
                    (false, StatusCode::NOT_FOUND) => words,
                    (false, _) => format!("{status}: {words}"),
                };
                Err(match status {
                    StatusCode::NOT_FOUND => RegistryError::NotFound {
                        what: what.to_owned(),
                        host: host.to_owned(),
                        answer: said,
                    },
                    _ => RegistryError::Answer {
                        reason: format!("the registry answers {said}"),
                        url,
                    },
                })
            }
        }
    }
}

/// What a registry complains about, without the JSON around it.
fn complaint(words: &str) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<Complaint>,
    }
    #[derive(Deserialize)]
    struct Complaint {
        #[serde(default)]
        message: String,
    }
    let messages: Vec<String> = match serde_json::from_str::<Envelope>(words) {
        Ok(envelope) => envelope.errors.into_iter().map(|e| e.message).collect(),
        Err(_) => Vec::new(),
    };
    if messages.iter().all(String::is_empty) {
        return words.to_owned();
    }
    web::line(&messages.join(", "))
}

fn unauthorized(host: &str, credential: &Credential) -> RegistryError {
    let reason = match credential {
        Credential::Anonymous => "asks who you are",
        Credential::Password { .. } | Credential::Token(_) => {
            "does not take the credentials of the Docker configuration for this"
        }
    };
    RegistryError::Unauthorized {
        host: host.to_owned(),
        reason: format!("{reason}; `docker login {host}` stores credentials"),
    }
}

/// What oci-client reports, in this crate's words.
fn failure(host: &str, credential: &Credential, error: OciDistributionError) -> RegistryError {
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::ServerError {
            code: 401 | 403, ..
        } => unauthorized(host, credential),
        OciDistributionError::RequestError(error) => match error.url() {
            Some(url) => web::failed(url.as_str(), &error),
            None => web::failed(host, &error),
        },
        other => RegistryError::Answer {
            url: host.to_owned(),
            reason: web::line(&other.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_lose_their_envelope() {
        let words = r#"{"errors":[{"code":"X","message":"manifest unknown","detail":{}}]}"#;
        assert_eq!(complaint(words), "manifest unknown");
        for words in ["<html>", r#"{"errors":[]}"#, r#"{"errors":[{"code":"X"}]}"#] {
            assert_eq!(complaint(words), words);
        }
    }
}
