//! The simulated engine: what tests set and read. [`operations`] implements [`crate::Engine`].

mod operations;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iechor_values::image::Reference;

use super::behavior::{Behavior, OnStart};
use super::calls::{Calls, Fault};
use super::command::Command;
use super::state::{self, State};
use crate::engine::Hijack;
use crate::error::EngineError;
use crate::model::{ContainerSpec, EngineInfo, ExecSpec, File, Image};
use crate::stream::BoxByteStream;

type OnCommand = Arc<dyn Fn(&str, &ExecSpec) -> Command + Send + Sync>;
type OnHijack = Arc<dyn Fn(&Hijack) -> Option<BoxByteStream> + Send + Sync>;

/// An engine in memory. Clones share its state.
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
    // A panic in a test's hook poisons the lock. The test should report the panic, not the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedEngine {
    /// Returns an engine without images, containers and volumes, with the networks of every engine.
    pub fn new() -> Self {
        Self::at("unix:///run/simulated.sock")
    }

    /// Returns an engine with its own endpoint, for tests with several nodes. See [`Self::new`].
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

    /// Sets the answer of [`crate::Engine::info`].
    pub fn set_info(&self, info: EngineInfo) {
        self.state().info = info;
    }

    /// Adds an image for `linux/amd64` without labels; see [`Self::add_image_as`].
    pub fn add_image(&self, reference: &str) {
        self.add_image_as(reference, state::plain_image(reference));
    }

    /// Adds an image to the engine.
    pub fn add_image_as(&self, reference: &str, image: Image) {
        let name = Reference::parse(reference).canonical();
        self.state().images.insert(name, image);
    }

    /// Adds an image that can be pulled. Other images cannot be pulled.
    pub fn add_to_registry(&self, reference: &str, image: Image) {
        let name = Reference::parse(reference).canonical();
        self.state().registry.insert(name, image);
    }

    /// Adds an image for `linux/amd64` without labels that can be pulled.
    pub fn add_plain_to_registry(&self, reference: &str) {
        self.add_to_registry(reference, state::plain_image(reference));
    }

    /// Lets every image be pulled, including those that were not added.
    pub fn open_registry(&self) {
        self.state().open_registry = true;
    }

    /// Removes an image.
    pub fn remove_image(&self, reference: &str) {
        let name = Reference::parse(reference).canonical();
        self.state().images.remove(&name);
    }

    /// Sets what the process of a container of this image does from its next start on (default:
    /// [`Behavior::stays_up`]).
    pub fn set_behavior(&self, image: &str, behavior: Behavior) {
        let name = Reference::parse(image).canonical();
        self.state().behaviors.insert(name, behavior);
    }

    /// Sets a function that decides about a container's process when it starts. It takes precedence
    /// over [`Self::set_behavior`].
    pub fn on_start(
        &self,
        hook: impl Fn(&ContainerSpec) -> Option<Behavior> + Send + Sync + 'static,
    ) {
        lock(&self.inner.hooks).start = Arc::new(hook);
    }

    /// Sets a function that decides what a command in a container does. It gets the container's name.
    /// By default, no program exists.
    pub fn on_command(&self, hook: impl Fn(&str, &ExecSpec) -> Command + Send + Sync + 'static) {
        lock(&self.inner.hooks).command = Arc::new(hook);
    }

    /// Sets a function that returns the peer of an upgraded connection. By default, the engine has no
    /// BuildKit.
    pub fn on_hijack(
        &self,
        hook: impl Fn(&Hijack) -> Option<BoxByteStream> + Send + Sync + 'static,
    ) {
        lock(&self.inner.hooks).hijack = Arc::new(hook);
    }

    /// Ends a running container's process, as if it ended by itself.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is no such container.
    pub fn end_container(
        &self,
        name: &str,
        exit_code: i64,
        out_of_memory: bool,
    ) -> Result<(), EngineError> {
        self.state().end(name, exit_code, out_of_memory)
    }

    /// Returns the files that were copied into a container, by their absolute path.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is no such container.
    pub fn files(&self, container: &str) -> Result<BTreeMap<String, File>, EngineError> {
        self.state().files(container)
    }

    /// Returns the specification that a container was created with.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if there is no such container.
    pub fn spec(&self, container: &str) -> Result<ContainerSpec, EngineError> {
        self.state().spec(container)
    }

    /// Sets the fault of a call. Calls of the methods of [`crate::Engine`] are counted from 1, in the
    /// order in which they begin, without [`crate::Engine::endpoint`].
    pub fn set_fault(&self, call: u64, fault: Fault) {
        lock(&self.inner.calls).set_fault(call, fault);
    }

    /// Sets the fault of every call whose line in [`Self::journal`] begins with `begin`, unless a fault
    /// is set for its number.
    pub fn set_fault_of(&self, begin: &str, fault: Fault) {
        lock(&self.inner.calls).set_rule(begin, fault);
    }

    /// Lets the call of a number fail.
    pub fn fail_call(&self, call: u64, error: EngineError) {
        self.set_fault(call, Fault::Error(error));
    }

    /// Lets the call of a number never return.
    pub fn hang_call(&self, call: u64) {
        self.set_fault(call, Fault::Hang);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.inner.calls).clear_faults();
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        lock(&self.inner.calls).count()
    }

    /// Returns one line for every call: the request and its result.
    pub fn journal(&self) -> Vec<String> {
        lock(&self.inner.calls).lines()
    }

    /// Records a call, and applies its fault.
    async fn call<T>(
        &self,
        line: String,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let (call, fault) = lock(&self.inner.calls).begin(line);
        // A request takes time, in which the caller may drop it.
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

    /// Does what [`Self::call`] does, for a call that only reads or changes the state.
    async fn with<T>(
        &self,
        line: String,
        work: impl FnOnce(&mut State) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.call(line, async { work(&mut self.state()) }).await
    }
}
