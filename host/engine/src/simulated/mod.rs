//! An engine that keeps its state in memory.
//!
//! It answers as [`crate::docker`] does in the same situation: the same test runs on both and
//! compares what can be seen (`tests/scenarios.rs`). What no engine can be asked to do at will is
//! set here: what a container's process does ([`Behavior`]), what a command in it does
//! ([`Command`]), and which call fails, hangs or loses its answer ([`Fault`]). Nothing depends on
//! time or chance: the same calls give the same ids, times and journal.

mod behavior;
mod calls;
mod command;
mod load;
mod settings;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

pub use self::behavior::Behavior;
pub use self::calls::Fault;
use self::calls::{Calls, list, pairs};
pub use self::command::{Command, CommandIo, CommandStderr};
use self::state::State;
use crate::docker::archive_check;
use crate::model::{
    Container, ContainerSpec, EngineInfo, ExecOutput, ExecSpec, File, Image, LoadEvent, LogChunk,
    Network, NetworkSpec, Platform, PullEvent, Volume, VolumeSpec,
};
use crate::reference::Reference;
use crate::{BoxByteStream, Engine, EngineError, ExecConnection, Hijack};

type OnStart = Arc<dyn Fn(&ContainerSpec) -> Option<Behavior> + Send + Sync>;
type OnCommand = Arc<dyn Fn(&str, &ExecSpec) -> Command + Send + Sync>;
type OnHijack = Arc<dyn Fn(&Hijack) -> Option<BoxByteStream> + Send + Sync>;

/// An engine in memory. Clones are the same engine.
#[derive(Clone)]
pub struct SimulatedEngine {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: String,
    state: Mutex<State>,
    calls: Mutex<Calls>,
    hooks: Mutex<Hooks>,
}

#[derive(Clone)]
struct Hooks {
    start: OnStart,
    command: OnCommand,
    hijack: OnHijack,
}

impl Default for SimulatedEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SimulatedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedEngine")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panics in a hook is to be told of that, not of this lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedEngine {
    /// An engine with no images, containers or volumes, and the networks that every engine has.
    pub fn new() -> Self {
        Self::at("unix:///run/simulated.sock")
    }

    /// As [`Self::new`], with an endpoint of its own: two builder nodes need two.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                endpoint: endpoint.into(),
                state: Mutex::new(State::new()),
                calls: Mutex::new(Calls::default()),
                hooks: Mutex::new(Hooks {
                    start: Arc::new(|_| None),
                    command: Arc::new(|_, exec| Command::no_such_program(exec)),
                    hijack: Arc::new(|_| None),
                }),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    fn hooks(&self) -> Hooks {
        lock(&self.inner.hooks).clone()
    }

    /// Sets what [`Engine::info`] answers.
    pub fn set_info(&self, info: EngineInfo) {
        self.state().info = info;
    }

    /// Adds an image for `linux/amd64` without labels; see [`Self::add_image_as`].
    pub fn add_image(&self, reference: &str) {
        self.add_image_as(reference, state::plain_image(reference));
    }

    /// Adds an image to those that the engine holds.
    pub fn add_image_as(&self, reference: &str, image: Image) {
        let name = Reference::parse(reference).canonical();
        self.state().images.insert(name, image);
    }

    /// Adds an image to those that can be pulled. All others cannot.
    pub fn add_to_registry(&self, reference: &str, image: Image) {
        let name = Reference::parse(reference).canonical();
        self.state().registry.insert(name, image);
    }

    /// Adds an image of no particular kind to those that can be pulled.
    pub fn add_plain_to_registry(&self, reference: &str) {
        self.add_to_registry(reference, state::plain_image(reference));
    }

    /// Lets every image be pulled, those too that nobody added.
    pub fn open_registry(&self) {
        self.state().open_registry = true;
    }

    /// Takes an image away, so that a test can see what happens without it.
    pub fn remove_image(&self, reference: &str) {
        let name = Reference::parse(reference).canonical();
        self.state().images.remove(&name);
    }

    /// Sets what the process of a container of this image does, from the next start on. The
    /// default is [`Behavior::stays_up`].
    pub fn set_behavior(&self, image: &str, behavior: Behavior) {
        let name = Reference::parse(image).canonical();
        self.state().behaviors.insert(name, behavior);
    }

    /// Sets what decides about a container's process when it starts, before
    /// [`Self::set_behavior`] is asked.
    pub fn on_start(
        &self,
        hook: impl Fn(&ContainerSpec) -> Option<Behavior> + Send + Sync + 'static,
    ) {
        lock(&self.inner.hooks).start = Arc::new(hook);
    }

    /// Sets what a command does that is run or dialled in a container; it is given the container's
    /// name. The default is that there is no such program.
    pub fn on_command(&self, hook: impl Fn(&str, &ExecSpec) -> Command + Send + Sync + 'static) {
        lock(&self.inner.hooks).command = Arc::new(hook);
    }

    /// Sets what an upgraded connection leads to. The default is that there is no BuildKit in this
    /// engine.
    pub fn on_hijack(
        &self,
        hook: impl Fn(&Hijack) -> Option<BoxByteStream> + Send + Sync + 'static,
    ) {
        lock(&self.inner.hooks).hijack = Arc::new(hook);
    }

    /// Ends a running container's process, as if by itself.
    ///
    /// # Errors
    ///
    /// Where there is no such container.
    pub fn end_container(
        &self,
        name: &str,
        exit_code: i64,
        out_of_memory: bool,
    ) -> Result<(), EngineError> {
        self.state().end(name, exit_code, out_of_memory)
    }

    /// The files that were copied into a container, by their absolute path.
    ///
    /// # Errors
    ///
    /// Where there is no such container.
    pub fn files(&self, container: &str) -> Result<BTreeMap<String, File>, EngineError> {
        self.state().files(container)
    }

    /// What a container was created with.
    ///
    /// # Errors
    ///
    /// Where there is no such container.
    pub fn spec(&self, container: &str) -> Result<ContainerSpec, EngineError> {
        self.state().spec(container)
    }

    /// Sets what happens to a call. Calls of [`Engine`]'s methods count from 1, in the order in
    /// which they begin; [`Engine::endpoint`] is none.
    pub fn set_fault(&self, call: u64, fault: Fault) {
        lock(&self.inner.calls).set_fault(call, fault);
    }

    /// Sets what happens to every call whose line in [`Self::journal`] begins so, where there is no
    /// fault for its number.
    pub fn set_fault_of(&self, begin: &str, fault: Fault) {
        lock(&self.inner.calls).set_rule(begin, fault);
    }

    /// Lets the call of that number fail.
    pub fn fail_call(&self, call: u64, error: EngineError) {
        self.set_fault(call, Fault::Error(error));
    }

    /// Lets the call of that number never return.
    pub fn hang_call(&self, call: u64) {
        self.set_fault(call, Fault::Hang);
    }

    /// Forgets all faults, those that are yet to come and those of this past.
    pub fn clear_faults(&self) {
        lock(&self.inner.calls).clear_faults();
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        lock(&self.inner.calls).count()
    }

    /// One line for every call: what was asked, and what came of it.
    pub fn journal(&self) -> Vec<String> {
        lock(&self.inner.calls).lines()
    }

    /// Notes a call and does to it what was set for it.
    async fn call<T>(
        &self,
        line: String,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let (call, fault) = lock(&self.inner.calls).begin(line);
        // A request takes time, in which whoever made it may change their mind.
        tokio::task::yield_now().await;
        let result = match fault {
            Some(Fault::Hang) => {
                lock(&self.inner.calls).end(call, "hangs");
                pending::<()>().await;
                return Err(EngineError::Protocol("a call that hangs came back".into()));
            }
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                self.state().tick();
                work.await
            }
            Some(Fault::Error(e)) => Err(e),
            Some(Fault::LoseAnswer(e)) => {
                self.state().tick();
                let _ = work.await;
                Err(e)
            }
            None => {
                self.state().tick();
                work.await
            }
        };
        let outcome = match &result {
            Ok(_) => "ok".to_owned(),
            Err(e) => format!("error: {e}"),
        };
        lock(&self.inner.calls).end(call, &outcome);
        result
    }

    /// As [`Self::call`], for what only looks at the state or changes it.
    async fn with<T>(
        &self,
        line: String,
        work: impl FnOnce(&mut State) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.call(line, async { work(&mut self.state()) }).await
    }
}

#[async_trait]
impl Engine for SimulatedEngine {
    fn endpoint(&self) -> &str {
        &self.inner.endpoint
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.with("info".into(), |state| Ok(state.info.clone()))
            .await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        self.with(calls::describe(spec), |state| state.create(spec))
            .await
    }

    async fn inspect_container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        self.with(format!("inspect_container {name}"), |state| {
            Ok(state.inspect(name))
        })
        .await
    }

    async fn list_containers(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Container>, EngineError> {
        self.with(
            format!("list_containers{}", pairs("labels", labels)),
            |state| Ok(state.list(labels)),
        )
        .await
    }

    async fn start_container(&self, name: &str) -> Result<(), EngineError> {
        let hook = self.hooks().start;
        self.with(format!("start_container {name}"), |state| {
            state.start(name, &hook)
        })
        .await
    }

    async fn stop_container(&self, name: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        let line = match grace {
            Some(grace) => format!("stop_container {name} grace={grace:?}"),
            None => format!("stop_container {name}"),
        };
        self.with(line, |state| state.stop(name)).await
    }

    async fn remove_container(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let line = format!("remove_container {name}{}", calls::flag("force", force));
        self.with(line, |state| state.remove(name, force)).await
    }

    async fn copy_into_container(
        &self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError> {
        let paths = list("files", files.iter().map(|f| f.path.as_str()));
        self.with(
            format!("copy_into_container {name} {target}{paths}"),
            |state| {
                archive_check(files)?;
                state.copy_into(name, target, files)
            },
        )
        .await
    }

    async fn container_logs(
        &self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError> {
        let tail_text = tail.map(|n| format!(" tail={n}")).unwrap_or_default();
        self.with(format!("container_logs {name}{tail_text}"), |state| {
            state.logs(name, tail, limit)
        })
        .await
    }

    async fn run_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
        limit: usize,
    ) -> Result<ExecOutput, EngineError> {
        let hook = self.hooks().command;
        let line = format!("run_in_container {name}{}", calls::command(exec));
        let work = async {
            let (name, life) = self.state().enter(name)?;
            command::run(hook(&name, exec), &name, exec, limit, life).await
        };
        self.call(line, work).await
    }

    async fn dial_in_container(
        &self,
        name: &str,
        exec: &ExecSpec,
    ) -> Result<ExecConnection, EngineError> {
        let hook = self.hooks().command;
        let line = format!("dial_in_container {name}{}", calls::command(exec));
        let work = async {
            let (name, life) = self.state().enter(name)?;
            command::dial(hook(&name, exec), &name, exec, life)
        };
        self.call(line, work).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, EngineError> {
        let line = format!("create_volume {}", spec.name);
        self.with(line, |state| state.create_volume(spec)).await
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<Volume>, EngineError> {
        self.with(format!("inspect_volume {name}"), |state| {
            Ok(state.volumes.get(name).cloned())
        })
        .await
    }

    async fn list_volumes(&self, labels: &[(String, String)]) -> Result<Vec<Volume>, EngineError> {
        self.with(
            format!("list_volumes{}", pairs("labels", labels)),
            |state| {
                let all = state.volumes.values();
                Ok(all
                    .filter(|v| state::carries(&v.labels, labels))
                    .cloned()
                    .collect())
            },
        )
        .await
    }

    async fn remove_volume(&self, name: &str, force: bool) -> Result<(), EngineError> {
        let line = format!("remove_volume {name}{}", calls::flag("force", force));
        self.with(line, |state| state.remove_volume(name, force))
            .await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        let line = format!("create_network {}", spec.name);
        self.with(line, |state| state.create_network(spec)).await
    }

    async fn inspect_network(&self, name: &str) -> Result<Option<Network>, EngineError> {
        self.with(format!("inspect_network {name}"), |state| {
            Ok(state.network(name).cloned())
        })
        .await
    }

    async fn list_networks(
        &self,
        labels: &[(String, String)],
    ) -> Result<Vec<Network>, EngineError> {
        self.with(
            format!("list_networks{}", pairs("labels", labels)),
            |state| {
                let all = state.networks.iter();
                Ok(all
                    .filter(|n| state::carries(&n.labels, labels))
                    .cloned()
                    .collect())
            },
        )
        .await
    }

    async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: &[String],
    ) -> Result<(), EngineError> {
        let names = list("aliases", aliases.iter().map(String::as_str));
        self.with(
            format!("connect_network {network} {container}{names}"),
            |state| state.connect(network, container),
        )
        .await
    }

    async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), EngineError> {
        let force_text = calls::flag("force", force);
        self.with(
            format!("disconnect_network {network} {container}{force_text}"),
            |state| state.disconnect(network, container),
        )
        .await
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.with(format!("remove_network {name}"), |state| {
            state.remove_network(name)
        })
        .await
    }

    async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        self.with(format!("inspect_image {reference}"), |state| {
            Ok(state.image(reference).map(|(_, image)| image.clone()))
        })
        .await
    }

    async fn pull_image(
        &self,
        reference: &str,
        platform: Option<&Platform>,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<(), EngineError> {
        let platform = platform
            .map(|p| format!(" platform={}/{}", p.os, p.architecture))
            .unwrap_or_default();
        let work = async {
            let news = self.state().pull(reference)?;
            for event in news {
                let _ = events.send(event).await;
            }
            Ok(())
        };
        self.call(format!("pull_image {reference}{platform}"), work)
            .await
    }

    async fn push_image(
        &self,
        reference: &str,
        events: mpsc::Sender<PullEvent>,
    ) -> Result<Option<String>, EngineError> {
        let work = async {
            let image = self.state().push(reference)?;
            let event = PullEvent {
                id: String::new(),
                status: format!("{reference}: digest: {}", image.id),
                current: 0,
                total: None,
            };
            let _ = events.send(event).await;
            Ok(Some(image.id))
        };
        self.call(format!("push_image {reference}"), work).await
    }

    async fn load_images(
        &self,
        mut tar: BoxStream<'static, std::io::Result<Bytes>>,
        events: mpsc::Sender<LoadEvent>,
    ) -> Result<(), EngineError> {
        let work = async {
            let mut archive = Vec::new();
            while let Some(part) = tar.next().await {
                archive.extend_from_slice(&part.map_err(|e| {
                    EngineError::Invalid(format!(
                        "the images to load could not be read to their end: {e}"
                    ))
                })?);
            }
            let images = load::read(&archive)?;
            for (reference, image) in images {
                self.add_image_as(&reference, image);
                let event = LoadEvent {
                    id: String::new(),
                    status: format!("Loaded image: {reference}"),
                    current: 0,
                    total: None,
                };
                let _ = events.send(event).await;
            }
            Ok(())
        };
        self.call("load_images".into(), work).await
    }

    async fn hijack(&self, what: &Hijack) -> Result<BoxByteStream, EngineError> {
        let hook = self.hooks().hijack;
        let line = match what {
            Hijack::Control => "hijack control".to_owned(),
            Hijack::Session(headers) => {
                format!(
                    "hijack session{}",
                    list("headers", headers.iter().map(|(k, _)| k.as_str()))
                )
            }
        };
        let work = async {
            hook(what).ok_or_else(|| {
                EngineError::Unsupported("BuildKit connections: nothing was set for them".into())
            })
        };
        self.call(line, work).await
    }

    async fn inspect_any(&self, name: &str) -> Result<Option<serde_json::Value>, EngineError> {
        self.with(format!("inspect_any {name}"), |state| Ok(state.any(name)))
            .await
    }
}
