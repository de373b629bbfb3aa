//! The Docker Engine API.
//!
//! Bollard builds the requests and reads the answers where its types fit. Where they do not, the
//! request is made here: bollard's enums are closed, so that one state or driver that it does not
//! know makes a whole answer unreadable (Podman has such), its streams cut no errors apart, and it
//! cannot hand over an upgraded connection. Both use one dialer.

mod answer;
pub mod archive;
mod container;
mod demux;
mod dialer;
mod errors;
mod exec;
mod hijack;
mod image;
mod inspect;
mod lines;
mod load;
mod network;
mod reach;
mod run;
mod startup;
mod transfer;
mod volume;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use self::answer::{Bounds, OBJECTS, Objects, Subject};
pub(crate) use self::archive::check as archive_check;
pub(crate) use self::container::Log;
use self::dialer::Dialer;
use self::errors::About;
use crate::config::DockerConfig;
use crate::endpoint::Endpoint;
use crate::model::{
    Container, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image, LoadEvent, LogChunk,
    Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};
use crate::{BoxByteStream, Engine, EngineError, ExecConnection, Hijack};

/// An engine that speaks the Docker Engine API 1.41 or later.
#[derive(Clone)]
pub struct DockerEngine {
    dialer: Arc<Dialer>,
    docker: Docker,
    config: Arc<DockerConfig>,
}

impl DockerEngine {
    /// Prepares for the engine at `endpoint`; the first request connects. `config` gives further
    /// HTTP headers, and the credentials for pulls.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unreachable`] where the TLS material cannot be read or used, and where
    /// `HttpHeaders` of the configuration are none.
    pub fn connect(endpoint: &Endpoint, config: Arc<DockerConfig>) -> Result<Self, EngineError> {
        let dialer = Arc::new(Dialer::new(endpoint, &config)?);
        let transport = {
            let dialer = dialer.clone();
            move |request: BollardRequest| {
                let dialer = dialer.clone();
                async move {
                    dialer
                        .send(request, Bounds::DONE)
                        .await
                        .map_err(errors::into_bollard)
                }
            }
        };
        let docker = Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            // Seconds to the head of an answer. To stop a container may take as long as it is
            // given, so there is no limit here; who wants one drops the future. From its first byte
            // on an answer has the limits of `answer`.
            u64::MAX,
            API_DEFAULT_VERSION,
        )
        .map_err(|e| errors::from_bollard(e, &dialer, &[]))?;
        Ok(Self {
            dialer,
            docker,
            config,
        })
    }

    /// Maps a failure of bollard's.
    fn failed<'a>(
        &'a self,
        about: About<'a>,
    ) -> impl FnOnce(bollard::errors::Error) -> EngineError + 'a {
        move |e| errors::from_bollard(e, &self.dialer, about)
    }

    /// Sends a request without bollard; the answer's status is a success.
    async fn request(
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
            .map_err(|e| EngineError::Invalid(format!("cannot ask the engine for {path}: {e}")))?;
        let response = self.dialer.send(request, bounds).await?;
        self.successful(response, about).await
    }

    async fn successful(
        &self,
        response: http::Response<hyper::body::Incoming>,
        about: About<'_>,
    ) -> Result<http::Response<hyper::body::Incoming>, EngineError> {
        if response.status().is_success() {
            return Ok(response);
        }
        Err(errors::refine(self.dialer.failure(response).await, about))
    }

    /// Sends a request without bollard and reads the JSON of its answer.
    async fn json<T: DeserializeOwned>(
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

    /// The objects of a list that an answer at `path` has.
    fn listed<T>(&self, path: &str, objects: Objects<T>) -> Result<Vec<T>, EngineError> {
        match objects {
            Objects::All(objects) => Ok(objects),
            Objects::TooMany => Err(Subject {
                endpoint: self.dialer.endpoint().to_owned(),
                request: format!("GET {path}"),
            }
            .too_large(format!("{OBJECTS} objects"))),
        }
    }

    /// As [`Self::json`], for an object that may not exist.
    async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        about: About<'_>,
    ) -> Result<Option<T>, EngineError> {
        let bounds = Bounds::OBJECT;
        match self.json(Method::GET, path, &[], None, about, bounds).await {
            Ok(found) => Ok(Some(found)),
            Err(EngineError::NotFound { .. }) => Ok(None),
            // Whatever its words, there is nothing of that name: this was a plain lookup.
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

/// A name as one segment of a path. What could climb out of its place in the path becomes a name
/// that no object has.
fn segment(name: &str) -> String {
    match name {
        "" | "." | ".." => "%20".into(),
        _ => encode(name, b"-_.~"),
    }
}

/// The path and query of a request.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (i, (key, value)) in query.iter().enumerate() {
        address.push(if i == 0 { '?' } else { '&' });
        address.push_str(key);
        address.push('=');
        address.push_str(&encode(value, b"-_.~"));
    }
    address
}

fn encode(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The `filters` of a list: every one of `labels`.
fn label_filters(labels: &[(String, String)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    serde_json::json!({ "label": labels }).to_string()
}

#[async_trait]
impl Engine for DockerEngine {
    fn endpoint(&self) -> &str {
        self.dialer.endpoint()
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        inspect::info(self).await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        container::create(self, spec).await
    }

    async fn inspect_container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        container::inspect(self, name).await
    }

    async fn list_containers(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Container>, EngineError> {
        container::list(self, labels).await
    }

    async fn start_container(&self, name: &str) -> Result<(), EngineError> {
        container::start(self, name).await
    }

    async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        container::stop(self, name, grace).await
    }

    async fn remove_container(&self, name: &str, force: bool) -> Result<(), EngineError> {
        container::remove(self, name, force).await
    }

    async fn copy_into_container(
        &self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError> {
        container::copy_into(self, name, target, files).await
    }

    async fn container_logs(
        &self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError> {
        container::logs(self, name, tail, limit).await
    }

    async fn run_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
        limit: usize,
    ) -> Result<ExecOutput, EngineError> {
        exec::run(self, name, exec, limit).await
    }

    async fn dial_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
    ) -> Result<ExecConnection, EngineError> {
        exec::dial(self, name, exec).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, EngineError> {
        volume::create(self, spec).await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<Volume>, EngineError> {
        volume::inspect(self, name).await
    }

    async fn list_volumes(&self, labels: &[(String, String)]) -> Result<Vec<Volume>, EngineError> {
        volume::list(self, labels).await
    }

    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError> {
        volume::remove(self, name, force).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        network::create(self, spec).await
    }

    async fn inspect_network(&self, name: &str) -> Result<Option<Network>, EngineError> {
        network::inspect(self, name).await
    }

    async fn list_networks(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Network>, EngineError> {
        network::list(self, labels).await
    }

    async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: &[String],
    ) -> Result<(), EngineError> {
        network::connect(self, network, container, aliases).await
    }

    async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), EngineError> {
        network::disconnect(self, network, container, force).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        network::remove(self, name).await
    }

    async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        image::inspect(self, reference).await
    }

    async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<(), EngineError> {
        transfer::pull(self, reference, platform, events).await
    }

    async fn push_image(
        &self,
        reference: &str,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<Option<String>, EngineError> {
        transfer::push(self, reference, events).await
    }

    async fn load_images(
        &self,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
        events: mpsc::Sender<LoadEvent>,
    ) -> Result<(), EngineError> {
        load::load(self, tar, events).await
    }

    async fn hijack(&self, what: &Hijack) -> Result<BoxByteStream, EngineError> {
        hijack::open(self, what).await
    }

    async fn inspect_any(&self, name: &str) -> Result<Option<serde_json::Value>, EngineError> {
        inspect::any(self, name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_segment() {
        assert_eq!(segment("buildx_buildkit_b0"), "buildx_buildkit_b0");
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
        assert_eq!(segment(".."), "%20");
        assert_eq!(
            address("/x", &[("a", "1 2"), ("b", "c&d")]),
            "/x?a=1%202&b=c%26d"
        );
    }
}
