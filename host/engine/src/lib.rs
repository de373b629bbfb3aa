//! The container engine behind one trait.
//!
//! Everything above this crate talks to [`Engine`]. [`docker`] speaks the Docker Engine API
//! (1.41 and later, so any engine from 20.10 on); [`simulated`] keeps the same state in memory,
//! for tests of drivers in isolation. [`endpoint`] finds the engine as the Docker CLI finds it,
//! and [`config`] reads the Docker CLI's configuration with its credentials.
//!
//! No policy lives here: who may do what is decided above, in `iechor-sandbox`.

pub mod config;
mod credential_helper;
pub mod docker;
pub mod endpoint;
mod error;
pub mod known;
pub mod model;
pub mod reference;
pub mod simulated;
mod stderr;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub use error::{EngineError, ObjectKind};
use model::{
    Container, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image, LoadEvent, LogChunk,
    Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};

/// A two-way byte stream, whatever carries it.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// An owned two-way byte stream.
pub type BoxByteStream = Box<dyn ByteStream>;

/// A command that runs in a container, with its stdin and stdout as one byte stream.
///
/// Shutting `stream` down ends the command's stdin and leaves its stdout; dropping it ends both.
/// The command itself is not killed: the engine has no way to. The framing that the engine puts around stdout and
/// stderr is undone already.
pub struct ExecConnection {
    /// Stdin (write) and stdout (read) of the command.
    pub stream: BoxByteStream,
    /// What the command writes to stderr. Ends with the command. Bounded: where nobody reads, the
    /// oldest chunks are dropped rather than the command being held up. Stdout and stderr come on
    /// one connection, so this moves on only while `stream` is read.
    pub stderr: mpsc::Receiver<Bytes>,
}

/// Which of the engine's two upgraded endpoints to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hijack {
    /// The control API of the BuildKit that lives in the engine (`POST /grpc`).
    Control,
    /// A session for it, announced with these headers (`POST /session`).
    Session(Vec<(String, String)>),
}

/// A container engine.
///
/// Names are passed as they are: who calls has checked them. Lookups answer `None` for an object
/// that does not exist; operations on one answer [`EngineError::NotFound`]. Every method may be
/// dropped before it ends; the engine may then have carried the request out or not.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The endpoint, as a person wrote or would write it: `unix:///var/run/docker.sock`.
    fn endpoint(&self) -> &str;

    /// The engine as it describes itself.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// Creates a container and returns its id; does not start it.
    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError>;
    /// The container of that name or id.
    async fn inspect_container(&self, name: &str) -> Result<Option<Container>, EngineError>;
    /// All containers, stopped ones too, that carry every one of `labels`.
    async fn list_containers(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Container>, EngineError>;
    /// Starts a container; one that runs already is no error.
    async fn start_container(&self, name: &str) -> Result<(), EngineError>;
    /// Asks a container to stop and has it killed after `grace` (the engine's own default where
    /// `None`); one that is stopped already is no error.
    async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), EngineError>;
    /// Removes a container and its anonymous volumes.
    async fn remove_container(&self, name: &str, force: bool) -> Result<(), EngineError>;
    /// Unpacks files below the directory `target` (which must exist), owned by root. Parent
    /// directories below `target` are made, mode 0755.
    async fn copy_into_container(
        &self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError>;
    /// The last `tail` lines of the container's log (all where `None`), at most `limit` bytes of
    /// them, the newest kept.
    async fn container_logs(
        &self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError>;
    /// Runs a command to its end, without stdin; keeps at most `limit` bytes of stdout and of
    /// stderr. A command that cannot be started is [`EngineError::CannotStart`].
    async fn run_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
        limit: usize,
    ) -> Result<ExecOutput, EngineError>;
    /// Runs a command and returns its stdin and stdout as one byte stream, once it runs. A command
    /// that cannot be started is [`EngineError::CannotStart`], with the engine's words.
    async fn dial_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
    ) -> Result<ExecConnection, EngineError>;

    /// Creates a volume; one of that name that exists already is an error.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, EngineError>;
    /// The volume of that name.
    async fn inspect_volume(&self, name: &str) -> Result<Option<Volume>, EngineError>;
    /// All volumes that carry every one of `labels`.
    async fn list_volumes(&self, labels: &[(String, String)]) -> Result<Vec<Volume>, EngineError>;
    /// Removes a volume.
    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError>;

    /// Creates a network; one of that name that exists already is an error.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError>;
    /// The network of that name or id.
    async fn inspect_network(&self, name: &str) -> Result<Option<Network>, EngineError>;
    /// All networks that carry every one of `labels`.
    async fn list_networks(&self, labels: &[(String, String)])
    -> Result<Vec<Network>, EngineError>;
    /// Attaches a container to a network, under these further names.
    async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: &[String],
    ) -> Result<(), EngineError>;
    /// Detaches a container from a network.
    async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), EngineError>;
    /// Removes a network.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError>;

    /// The image that the engine holds under this reference.
    async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError>;
    /// Pulls an image, with the credentials that the Docker CLI's configuration has for its
    /// registry. Events go to `events` as they come; a full channel is waited for.
    async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<(), EngineError>;
    /// Pushes an image that the engine holds under this reference, with credentials as for a pull;
    /// the digest that it has in the registry, where the engine says.
    async fn push_image(
        &self,
        reference: &str,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<Option<String>, EngineError>;
    /// Loads images from a tar stream (`docker load`), which is never held in memory.
    async fn load_images(
        &self,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
        events: mpsc::Sender<LoadEvent>,
    ) -> Result<(), EngineError>;

    /// Opens an upgraded connection to the BuildKit that lives in the engine.
    async fn hijack(&self, what: &Hijack) -> Result<BoxByteStream, EngineError>;

    /// The engine's own JSON for the container, image, network or volume of that name, the first
    /// kind that has one, in this order.
    async fn inspect_any(&self, name: &str) -> Result<Option<serde_json::Value>, EngineError>;
}
