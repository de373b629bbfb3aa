//! The trait of all engines.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use crate::error::EngineError;
use crate::model::{
    Container, ContainerEvent, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image,
    LoadEvent, LogChunk, Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};
use crate::stream::{BoxByteStream, ExecConnection};

/// An upgraded connection to the engine's own BuildKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hijack {
    /// BuildKit's control API (`POST /grpc`).
    Control,
    /// A session, announced with these headers (`POST /session`).
    Session(Vec<(String, String)>),
}

/// A container engine.
///
/// The caller checks names; they are passed on unchanged. Lookups return `None` for an object that does
/// not exist; operations on it return [`EngineError::NotFound`]. The future of every method may be
/// dropped before it completes; the engine may or may not have carried the request out then.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Returns the endpoint as a user writes it: `unix:///var/run/docker.sock`.
    fn endpoint(&self) -> &str;

    /// Returns the engine's description of itself.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// Creates a container and returns its ID; does not start it.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError>;
    /// Returns the container of a name or an ID.
    async fn inspect_container(&self, name: &str) -> Result<Option<Container>, EngineError>;
    /// Returns all containers that carry every one of `labels`, including stopped ones.
    async fn list_containers(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Container>, EngineError>;
    /// Starts a container. A container that already runs is not an error.
    async fn start_container(&self, name: &str) -> Result<(), EngineError>;
    /// Stops a container, and kills it after `grace` (default: the engine's). A container that is
    /// already stopped is not an error.
    async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), EngineError>;
    /// Removes a container and its anonymous volumes.
    async fn remove_container(&self, name: &str, force: bool) -> Result<(), EngineError>;
    /// Unpacks files below the directory `target` (which must exist), owned by root. Creates parent
    /// directories below `target` with mode 0755.
    async fn copy_into_container(
        &self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError>;
    /// Returns the last `tail` lines of a container's log (default: all), and of these the newest
    /// `limit` bytes.
    async fn container_logs(
        &self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError>;
    /// Returns what happened to a container since a time of the engine's clock, the oldest first, as far
    /// as the engine remembers it. The default is nothing: an engine need not remember.
    async fn container_events(
        &self,
        name: &str,
        since: SystemTime,
    ) -> Result<Vec<ContainerEvent>, EngineError> {
        let _ = (name, since);
        Ok(Vec::new())
    }
    /// Runs a command to its end, without stdin. Returns at most `limit` bytes each of stdout and
    /// stderr. Fails with [`EngineError::CannotStart`] if the command cannot be started.
    async fn run_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
        limit: usize,
    ) -> Result<ExecOutput, EngineError>;
    /// Starts a command, and returns its stdin and stdout as one byte stream when it runs. Fails with
    /// [`EngineError::CannotStart`] if the command cannot be started.
    async fn dial_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
    ) -> Result<ExecConnection, EngineError>;

    /// Creates a volume. A volume of that name that already exists is an error.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, EngineError>;
    /// Returns the volume of a name.
    async fn inspect_volume(&self, name: &str) -> Result<Option<Volume>, EngineError>;
    /// Returns all volumes that carry every one of `labels`.
    async fn list_volumes(&self, labels: &[(String, String)]) -> Result<Vec<Volume>, EngineError>;
    /// Removes a volume.
    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError>;

    /// Creates a network. A network of that name that already exists is an error.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError>;
    /// Returns the network of a name or an ID.
    async fn inspect_network(&self, name: &str) -> Result<Option<Network>, EngineError>;
    /// Returns all networks that carry every one of `labels`.
    async fn list_networks(&self, labels: &[(String, String)])
    -> Result<Vec<Network>, EngineError>;
    /// Connects a container to a network, with additional names in it.
    async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: &[String],
    ) -> Result<(), EngineError>;
    /// Disconnects a container from a network.
    async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), EngineError>;
    /// Removes a network.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError>;

    /// Returns the engine's image of a reference.
    async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError>;
    /// Pulls an image, with the credentials for its registry in the Docker CLI's configuration. Sends
    /// events to `events`, and waits if the channel is full.
    async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<(), EngineError>;
    /// Pushes the engine's image of a reference, with credentials as for a pull. Returns its digest in
    /// the registry, if the engine reports it.
    async fn push_image(
        &self,
        reference: &str,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<Option<String>, EngineError>;
    /// Loads images from a tar stream (`docker load`), without keeping it in memory.
    async fn load_images(
        &self,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
        events: mpsc::Sender<LoadEvent>,
    ) -> Result<(), EngineError>;

    /// Opens an upgraded connection to the engine's own BuildKit.
    async fn hijack(&self, what: &Hijack) -> Result<BoxByteStream, EngineError>;

    /// Returns the engine's JSON for the container, image, network or volume of a name: of the first
    /// kind that has one, in this order.
    async fn inspect_any(&self, name: &str) -> Result<Option<serde_json::Value>, EngineError>;
}
