//! Components in OCI registries, by the OCI distribution specification.
//!
//! Whatever a registry answers is read within bounds of size and time, also where something is pushed.

mod layout;
mod token;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

pub use layout::Contents;
use token::Purpose;

use crate::digest::Digest;
use crate::error::{self, RegistryError};
use crate::{Artifact, Credential, Fetched, Location, Request, Resolved, Source, web};

/// Most bytes of a manifest; registries commonly refuse larger ones.
const MANIFEST_BYTES: u64 = 4 << 20;

/// Type of what is uploaded.
const BYTES: &str = "application/octet-stream";
/// What Docker calls its registry, and where that is.
const DOCKER: (&str, &str) = ("docker.io", "index.docker.io");

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
    let registry = Registry::new(artifact, &request.credential, Purpose::Pull).await?;
    let found = registry.component(artifact, pin, request.limit).await?;
    let path = format!("blobs/{}", found.digest);
    let what = format!("the component of {artifact}");
    let answer = registry.get(&path, &[], &what).await?;
    let time = web::COMPONENT_TIME;
    let bytes = web::read(answer, &what, request.limit, time, request.progress).await?;
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
    let registry = Registry::new(artifact, &request.credential, Purpose::Pull).await?;
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
    let registry = Registry::new(artifact, credential, Purpose::Push).await?;
    let digest = Digest::of(&component);
    let manifest_digest = Digest::of(&parts.manifest);
    registry.push_blob(component, &digest).await?;
    let config_digest = Digest::of(&parts.config);
    registry.push_blob(parts.config, &config_digest).await?;
    registry
        .push_manifest(parts.manifest, artifact.tag_or_latest())
        .await?;
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
    /// Scheme and host.
    root: String,
    host: String,
    repository: String,
    credential: Credential,
    /// What the registry's own authority gave for the credential.
    token: Option<String>,
}

impl Registry {
    async fn new(
        artifact: &Artifact,
        credential: &Credential,
        purpose: Purpose,
    ) -> Result<Self, RegistryError> {
        let scheme = if artifact.is_local() { "http" } else { "https" };
        let address = match artifact.registry.as_str() {
            name if name == DOCKER.0 => DOCKER.1,
            name => name,
        };
        let root = format!("{scheme}://{address}");
        Ok(Self {
            token: token::obtain(&root, artifact, credential, purpose).await?,
            root,
            host: artifact.registry.clone(),
            repository: artifact.repository.clone(),
            credential: credential.clone(),
        })
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
        let manifest =
            web::read(answer, &what, MANIFEST_BYTES, web::ANSWER_TIME, &|_, _| {}).await?;
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
    ) -> Result<Response, RegistryError> {
        let url = self.url(path);
        let mut request = self.request(Method::GET, &url)?;
        if !accepted.is_empty() {
            request = request.header(ACCEPT, accepted.join(", "));
        }
        let answer = web::send(request, &url, 0).await?;
        self.successful(answer, &url, what).await
    }

    /// Uploads some bytes, unless they are there already.
    async fn push_blob(&self, bytes: Vec<u8>, digest: &Digest) -> Result<(), RegistryError> {
        let there = self.url(&format!("blobs/{digest}"));
        let answer = web::send(self.request(Method::HEAD, &there)?, &there, 0).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let url = self.url("blobs/uploads/");
        let request = self.request(Method::POST, &url)?.body(Vec::new());
        let answer = web::send(request, &url, 0).await?;
        let answer = self.successful(answer, &url, &self.repository).await?;
        let place = self.place(&answer, digest)?;
        let length = bytes.len() as u64;
        let mut request = web::client(place.as_str())?.put(place.clone());
        // The place may be anywhere, and only the registry is to see the credentials.
        if Url::parse(&url).is_ok_and(|url| url.origin() == place.origin()) {
            request = self.introduced(request);
        }
        let request = request.header(CONTENT_TYPE, BYTES).body(bytes);
        let answer = web::send(request, place.as_str(), length).await?;
        self.successful(answer, &url, &self.repository).await?;
        Ok(())
    }

    /// Where an upload that was begun goes on.
    fn place(&self, answer: &Response, digest: &Digest) -> Result<Url, RegistryError> {
        let wrong = |reason: String| RegistryError::Answer {
            url: answer.url().to_string(),
            reason: web::line(&reason),
        };
        let place = answer
            .headers()
            .get(LOCATION)
            .and_then(|place| place.to_str().ok())
            .ok_or_else(|| wrong("the registry does not say where to upload to".into()))?;
        let mut url = answer
            .url()
            .join(place)
            .map_err(|error| wrong(format!("it wants an upload to {place:?}: {error}")))?;
        if self.root.starts_with("https:") && url.scheme() != "https" {
            return Err(wrong(format!(
                "it wants an upload to {place:?}, which has no TLS"
            )));
        }
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        Ok(url)
    }

    async fn push_manifest(&self, manifest: Vec<u8>, tag: &str) -> Result<(), RegistryError> {
        let url = self.url(&format!("manifests/{tag}"));
        let length = manifest.len() as u64;
        let request = self
            .request(Method::PUT, &url)?
            .header(CONTENT_TYPE, layout::MANIFEST)
            .body(manifest);
        let answer = web::send(request, &url, length).await?;
        self.successful(answer, &url, &self.repository).await?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.root, self.repository)
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, RegistryError> {
        Ok(self.introduced(web::client(url)?.request(method, url)))
    }

    /// The request with what the registry wants to be shown.
    fn introduced(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.token, &self.credential) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Credential::Password { username, password }) => {
                request.basic_auth(username, Some(password))
            }
            (None, Credential::Token(token)) => request.bearer_auth(token),
            (None, Credential::Anonymous) => request,
        }
    }

    /// The answer, where it is a good one.
    async fn successful(
        &self,
        answer: Response,
        url: &str,
        what: &str,
    ) -> Result<Response, RegistryError> {
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(unauthorized(&self.host, &self.credential))
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
                        host: self.host.clone(),
                        answer: said,
                    },
                    _ => RegistryError::Answer {
                        reason: format!("the registry answers {said}"),
                        url: url.to_owned(),
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
