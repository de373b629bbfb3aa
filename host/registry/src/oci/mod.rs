//! A client of one repository of an OCI registry, as defined by the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec>).
//!
//! All answers of a registry have limits of size and time, also answers to a push.

mod token;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use crate::digest::Digest;
use crate::error::{self, AccessFault, RegistryError};
use crate::{Artifact, Credential, Progress, web};

/// Maximum size of a manifest, in bytes. Registries commonly refuse larger ones.
const MANIFEST_BYTES: u64 = 4 << 20;

/// Media type of uploads.
const BYTES: &str = "application/octet-stream";
/// Docker's name of its registry, and the host of the registry.
const DOCKER: (&str, &str) = ("docker.io", "index.docker.io");

pub use token::Access;

/// A client of one repository, authenticated as the registry requires.
pub struct Client {
    /// Scheme and host.
    root: String,
    artifact: Artifact,
    credential: Credential,
    /// The token that the registry's authority issued for the credential.
    token: Option<String>,
}

/// The protocol of the connections to a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP over TLS.
    Tls,
    /// HTTP without TLS.
    PlainHttp,
}

/// Content from a registry, and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The content.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
}

impl Client {
    /// Connects to the registry of an artifact. Obtains a token from the registry's authority if the
    /// registry requires one.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry cannot be reached, or denies access.
    pub async fn connect(
        artifact: &Artifact,
        credential: &Credential,
        access: Access,
    ) -> Result<Self, RegistryError> {
        let transport = match artifact.is_local() {
            true => Transport::PlainHttp,
            false => Transport::Tls,
        };
        Self::connect_by(artifact, credential, access, transport).await
    }

    /// Does what [`Self::connect`] does, with a transport that the caller determines.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub async fn connect_by(
        artifact: &Artifact,
        credential: &Credential,
        access: Access,
        transport: Transport,
    ) -> Result<Self, RegistryError> {
        let scheme = match transport {
            Transport::Tls => "https",
            Transport::PlainHttp => "http",
        };
        let address = match artifact.registry.as_str() {
            name if name == DOCKER.0 => DOCKER.1,
            name => name,
        };
        let root = format!("{scheme}://{address}");
        Ok(Self {
            token: token::obtain(&root, artifact, credential, access).await?,
            root,
            artifact: artifact.clone(),
            credential: credential.clone(),
        })
    }

    /// Fetches the manifest of the artifact: the one with the pinned digest, otherwise the one of its tag.
    /// `accepted` contains media types.
    ///
    /// # Errors
    ///
    /// Returns an error if the manifest does not exist, or does not have the pinned digest.
    pub async fn manifest(
        &self,
        pin: Option<&Digest>,
        accepted: &[&str],
    ) -> Result<Received, RegistryError> {
        let what = self.artifact.to_string();
        let version = pin.map_or(self.artifact.tag_or_latest(), Digest::as_str);
        let answer = self
            .get(&format!("manifests/{version}"), accepted, &what)
            .await?;
        let bytes = web::read(answer, &what, MANIFEST_BYTES, web::ANSWER_TIME, &|_, _| {}).await?;
        let digest = Digest::of(&bytes);
        error::check(&format!("the manifest of {what}"), pin, &digest)?;
        Ok(Received { bytes, digest })
    }

    /// Fetches a blob of at most `limit` bytes. `what` describes it in messages.
    ///
    /// # Errors
    ///
    /// Returns an error if the blob does not exist, or does not have the digest.
    pub async fn blob(
        &self,
        digest: &Digest,
        what: &str,
        limit: u64,
        progress: Progress<'_>,
    ) -> Result<Vec<u8>, RegistryError> {
        let answer = self.get(&format!("blobs/{digest}"), &[], what).await?;
        let bytes = web::read(answer, what, limit, web::TRANSFER_TIME, progress).await?;
        error::check(what, Some(digest), &Digest::of(&bytes))?;
        Ok(bytes)
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

    /// Uploads a blob, unless it exists already. Returns its digest.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry refuses it or cannot be reached.
    pub async fn push_blob(&self, bytes: Vec<u8>) -> Result<Digest, RegistryError> {
        let digest = Digest::of(&bytes);
        self.upload(bytes, &digest).await?;
        Ok(digest)
    }

    async fn upload(&self, bytes: Vec<u8>, digest: &Digest) -> Result<(), RegistryError> {
        let there = self.url(&format!("blobs/{digest}"));
        let answer = web::send(self.request(Method::HEAD, &there)?, &there, 0).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let url = self.url("blobs/uploads/");
        let request = self.request(Method::POST, &url)?.body(Vec::new());
        let answer = web::send(request, &url, 0).await?;
        let answer = self
            .successful(answer, &url, &self.artifact.repository)
            .await?;
        let place = self.place(&answer, digest)?;
        let length = bytes.len() as u64;
        let mut request = web::client(place.as_str())?.put(place.clone());
        // The location may be on another server, and only the registry may get the credentials.
        if Url::parse(&url).is_ok_and(|url| url.origin() == place.origin()) {
            request = self.introduced(request);
        }
        let request = request.header(CONTENT_TYPE, BYTES).body(bytes);
        let answer = web::send(request, place.as_str(), length).await?;
        self.successful(answer, &url, &self.artifact.repository)
            .await?;
        Ok(())
    }

    /// Returns the location at which a started upload continues.
    fn place(&self, answer: &Response, digest: &Digest) -> Result<Url, RegistryError> {
        let wrong = |reason: String| RegistryError::Answer {
            url: answer.url().to_string(),
            reason: web::line(&reason),
        };
        let place = answer
            .headers()
            .get(LOCATION)
            .and_then(|place| place.to_str().ok())
            .ok_or_else(|| wrong("the registry does not state where to upload to".into()))?;
        let mut url = answer.url().join(place).map_err(|error| {
            wrong(format!(
                "the registry requests an upload to {place:?}: {error}"
            ))
        })?;
        if self.root.starts_with("https:") && url.scheme() != "https" {
            return Err(wrong(format!(
                "the registry requests an upload to {place:?}, which does not use TLS"
            )));
        }
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        Ok(url)
    }

    /// Uploads a manifest under the artifact's tag. Returns its digest.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry refuses it or cannot be reached.
    pub async fn push_manifest(
        &self,
        manifest: Vec<u8>,
        media_type: &str,
    ) -> Result<Digest, RegistryError> {
        self.push_version(manifest, media_type, Some(self.artifact.tag_or_latest()))
            .await
    }

    /// Uploads a manifest to the repository under a tag, or without one. Returns its digest.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry refuses it or cannot be reached.
    pub async fn push_version(
        &self,
        manifest: Vec<u8>,
        media_type: &str,
        tag: Option<&str>,
    ) -> Result<Digest, RegistryError> {
        let digest = Digest::of(&manifest);
        let url = self.url(&format!("manifests/{}", tag.unwrap_or(digest.as_str())));
        let length = manifest.len() as u64;
        let request = self
            .request(Method::PUT, &url)?
            .header(CONTENT_TYPE, media_type)
            .body(manifest);
        let answer = web::send(request, &url, length).await?;
        self.successful(answer, &url, &self.artifact.repository)
            .await?;
        Ok(digest)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.root, self.artifact.repository)
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, RegistryError> {
        Ok(self.introduced(web::client(url)?.request(method, url)))
    }

    /// Adds the credentials to a request.
    fn introduced(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.token, &self.credential) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Credential::Password { username, password }) => {
                request.basic_auth(username, Some(password))
            }
            (None, Credential::Token(token)) => request.bearer_auth(token),
            // Only an authority accepts an identity token.
            (None, Credential::Anonymous | Credential::Identity(_)) => request,
        }
    }

    /// Returns the answer if it is a success, and an error otherwise.
    async fn successful(
        &self,
        answer: Response,
        url: &str,
        what: &str,
    ) -> Result<Response, RegistryError> {
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(unauthorized(&self.artifact.registry, &self.credential))
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
                        host: self.artifact.registry.clone(),
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

/// Returns the messages in the JSON of a registry's error.
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
    RegistryError::Unauthorized {
        host: host.to_owned(),
        fault: match credential {
            Credential::Anonymous => AccessFault::NoCredentials,
            Credential::Password { .. } | Credential::Identity(_) | Credential::Token(_) => {
                AccessFault::WrongCredentials
            }
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
