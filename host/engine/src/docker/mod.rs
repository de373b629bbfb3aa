//! An engine that speaks the Docker Engine API.
//!
//! Bollard builds the requests and reads the answers if its types fit. In other cases, `client`
//! sends the request itself: bollard's enums are closed, so that one state or driver that it does
//! not know makes a whole answer unreadable (Podman has such states), its streams do not distinguish
//! errors, and it cannot hand over an upgraded connection. Both use one `dialer`.
//!
//! Each module below is one group of the engine's operations, or a part of the transport: `client`
//! (requests), `dialer` (connections, with `tls`, `ssh` and `proxy`), `answer` (bounds of answers), `errors` (what an answer
//! means), `demux` and `lines` (streams).

mod address;
mod answer;
pub mod archive;
mod client;
mod container;
mod demux;
mod dialer;
mod errors;
mod exec;
mod hijack;
mod image;
mod inspect;
mod keep_alive;
mod lines;
mod load;
mod network;
mod proxy;
mod reach;
mod run;
mod ssh;
mod startup;
mod stream;
mod tls;
mod transfer;
mod volume;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

pub(crate) use self::archive::check as archive_check;
pub use self::client::DockerEngine;
use crate::engine::{Engine, Hijack};
use crate::error::EngineError;
use crate::model::{
    Container, ContainerEvent, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image,
    LoadEvent, LogChunk, Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};
use crate::stream::{BoxByteStream, ExecConnection};

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

    async fn container_events(
        &self,
        name: &str,
        since: SystemTime,
    ) -> Result<Vec<ContainerEvent>, EngineError> {
        container::events(self, name, since).await
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
