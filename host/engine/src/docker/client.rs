//! The client of the engine's API: sends requests, reads answers, maps errors.

use std::fmt;
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;

use super::address::address;
use super::answer::{Bounds, OBJECTS, Objects, Subject};
use super::dialer::Dialer;
use super::errors::{self, About};
use crate::config::DockerConfig;
use crate::endpoint::Endpoint;
use crate::error::{AnswerLimit, EngineError};

/// An engine that speaks the Docker Engine API 1.41 or later.
#[derive(Clone)]
pub struct DockerEngine {
    pub(super) dialer: Arc<Dialer>,
    pub(super) docker: Docker,
    pub(super) config: Arc<DockerConfig>,
}

impl DockerEngine {
    /// Prepares requests to the engine at `endpoint`; the first request connects. `config` has
    /// additional HTTP headers, and the credentials for pulls and pushes.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unreachable`] if the TLS material cannot be read or used, or if `HttpHeaders`
    /// of the configuration are not valid.
    pub fn connect(endpoint: &Endpoint, config: Arc<DockerConfig>) -> Result<Self, EngineError> {
        let dialer = Arc::new(Dialer::new(endpoint, &config)?);
        let transport = {
            let dialer = dialer.clone();
            move |request: BollardRequest| {
                let dialer = dialer.clone();
                async move {
                    let response = dialer.send(request, Bounds::DONE).await;
                    let response = response.map_err(errors::into_bollard)?;
                    // Bollard does not tell which request was refused.
                    if errors::is_forbidden(response.status()) {
                        return Err(errors::into_bollard(dialer.failure(response).await));
                    }
                    Ok(response)
                }
            }
        };
        let docker = Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            // Seconds until the head of an answer. Stopping a container may take as long as its
            // grace period, so there is no limit here; a caller can drop the future. From its first
            // byte on, an answer has the limits of `answer`.
            u64::MAX,
            API_DEFAULT_VERSION,
        )
        .map_err(|e| errors::from_bollard(e, dialer.endpoint(), &[]))?;
        Ok(Self {
            dialer,
            docker,
            config,
        })
    }

    /// Returns a function that maps an error of bollard.
    pub(super) fn failed<'a>(
        &'a self,
        about: About<'a>,
    ) -> impl FnOnce(bollard::errors::Error) -> EngineError + 'a {
        move |e| errors::from_bollard(e, self.dialer.endpoint(), about)
    }

    /// Sends a request without bollard. A status that is not a success is an error.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<serde_json::Value>,
        about: About<'_>,
        bounds: Bounds,
    ) -> Result<http::Response<hyper::body::Incoming>, EngineError> {
        let mut request = Request::builder().method(method).uri(address(path, query));
        if body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let request = request
            .body(Full::new(body))
            .map_err(|e| EngineError::Invalid(format!("cannot send a request to {path}: {e}")))?;
        let response = self.dialer.send(request, bounds).await?;
        self.successful(response, about).await
    }

    /// Returns the answer if its status is a success, else the error that it means.
    pub(super) async fn successful(
        &self,
        response: http::Response<hyper::body::Incoming>,
        about: About<'_>,
    ) -> Result<http::Response<hyper::body::Incoming>, EngineError> {
        if response.status().is_success() {
            return Ok(response);
        }
        Err(errors::refine(self.dialer.failure(response).await, about))
    }

    /// Sends a request without bollard, and reads the JSON of its answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<serde_json::Value>,
        about: About<'_>,
        bounds: Bounds,
    ) -> Result<T, EngineError> {
        let response = self
            .request(method, path, query, body, about, bounds)
            .await?;
        let body = self.dialer.collect(response).await?;
        serde_json::from_slice(&body)
            .map_err(|e| EngineError::Protocol(format!("the answer to {path}: {e}")))
    }

    /// Returns the objects of a list, which is the answer at `path`.
    pub(super) fn listed<T>(&self, path: &str, objects: Objects<T>) -> Result<Vec<T>, EngineError> {
        match objects {
            Objects::All(objects) => Ok(objects),
            Objects::TooMany => Err(Subject {
                endpoint: self.dialer.endpoint().to_owned(),
                request: format!("GET {path}"),
            }
            .too_large(AnswerLimit::Objects(OBJECTS))),
        }
    }

    /// Does what [`Self::json`] does, for an object that may not exist.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        about: About<'_>,
    ) -> Result<Option<T>, EngineError> {
        let bounds = Bounds::OBJECT;
        match self.json(Method::GET, path, &[], None, about, bounds).await {
            Ok(found) => Ok(Some(found)),
            Err(EngineError::NotFound { .. }) => Ok(None),
            // Whatever the message, the object does not exist: this was a plain lookup.
            Err(EngineError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl fmt::Debug for DockerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerEngine")
            .field("endpoint", &self.dialer.endpoint())
            .finish_non_exhaustive()
    }
}
