//! One operation of one driver: the state behind its store.
//!
//! An operation knows no capability. What a capability needs of one is its context: it makes that from
//! the [`Setup`], and finds it among the [`Contexts`].

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_engine::{EngineErrorKind, ObjectKind};
use iechor_values::hex;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::denial::{Denial, Remedy};
use crate::error::{cleaned, describe};
use crate::files::Files;
use crate::granted::Grants;
use crate::journal::{Journal, Noted};
use crate::last_words::LastWords;
use crate::limits;
use crate::node_context::NodeContext;
use crate::observer::{Line, Observer};
use crate::ownership::Owner;
use crate::text::clean_line;
use crate::user_words::UserWords;

/// The driver of an operation.
pub(crate) struct Actor<'a> {
    /// Its name, for labels and the log.
    pub(crate) name: &'a str,
    /// It comes with this program.
    pub(crate) built_in: bool,
    /// Sees what the driver does, where a test kit asked for it.
    pub(crate) observer: Option<&'a Arc<dyn Observer>>,
}

/// What the host has for an operation. Each capability takes its part of it.
pub(crate) struct Setup<'a> {
    /// The node's name; empty in the pure functions.
    pub(crate) node: &'a str,
    /// What the node's operations may use.
    pub(crate) context: &'a NodeContext,
    /// The user's files, which the driver does not see.
    pub(crate) files: &'a Files,
    /// What the user said of the node.
    pub(crate) user_words: &'a Arc<UserWords>,
}

/// The contexts of the capabilities in one operation.
#[derive(Default)]
pub(crate) struct Contexts(Vec<Box<dyn Any + Send + Sync>>);

impl Contexts {
    /// Adds the context of one capability, by its type.
    pub(crate) fn add(&mut self, context: impl Any + Send + Sync) {
        self.0.push(Box::new(context));
    }
}

/// What an operation may use and has used. Outlives the store, which a trap throws away.
pub(crate) struct Operation {
    /// Random; objects that this operation creates are labelled with it.
    pub(crate) id: String,
    /// The operation of the contract, for example `boot`.
    name: &'static str,
    /// The driver's name, for the log.
    pub(crate) driver: String,
    /// The driver comes with this program.
    built_in: bool,
    pub(crate) owner: Owner,
    pub(crate) grants: Grants,
    /// Sees what the driver does, where a test kit asked for it.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) journal: Journal,
    contexts: Contexts,
    /// What the host refused, the last of each capability.
    denials: Mutex<Vec<Denial>>,
    /// The latest failure of the engine of each kind, with its text.
    engine_failures: Mutex<Vec<(EngineErrorKind, String)>>,
    /// What helps against the last conflict, where the host knows something.
    remedy: Mutex<Option<Remedy>>,
    output: AtomicU64,
}

impl Operation {
    /// Returns an operation that has `limit` from now.
    pub(crate) fn new(
        actor: &Actor<'_>,
        name: &'static str,
        setup: &Setup<'_>,
        contexts: Contexts,
        limit: Duration,
    ) -> Self {
        let started = Instant::now();
        let id = random_id();
        Self {
            journal: Journal::new(id.clone(), Arc::clone(&setup.context.ledger)),
            id,
            name,
            driver: actor.name.to_owned(),
            built_in: actor.built_in,
            owner: Owner {
                builder: setup.context.builder.clone(),
                node: setup.node.to_owned(),
                driver: actor.name.to_owned(),
            },
            grants: setup.context.grants.clone(),
            observer: actor.observer.cloned(),
            started,
            deadline: started + limit,
            contexts,
            denials: Mutex::default(),
            engine_failures: Mutex::default(),
            remedy: Mutex::default(),
            output: AtomicU64::new(0),
        }
    }

    /// Returns the context of a capability.
    pub(crate) fn context<T: Any>(&self) -> &T {
        self.contexts
            .0
            .iter()
            .find_map(|context| context.downcast_ref())
            .expect("every operation has the contexts of all capabilities of the table")
    }

    /// Checks that another object may be created. Only boot creates: nobody would remove what a query
    /// created.
    pub(crate) fn check_creations(&self) -> Result<(), HostError> {
        if self.name != "boot" {
            return Err(HostError::invalid(format!(
                "only boot creates, not {}",
                self.name
            )));
        }
        if self.journal.len() >= limits::CREATIONS {
            return Err(HostError::limit(format!(
                "more than {} objects created in one operation",
                limits::CREATIONS
            )));
        }
        Ok(())
    }

    /// Returns whether the node is being removed.
    pub(crate) fn is_removal(&self) -> bool {
        self.name == "remove"
    }

    /// Puts the driver's name before a line of progress, unless the driver is built in: the line appears among
    /// the steps of a build and the lines of the program, and must not be mistaken for one of them.
    pub(crate) fn signed(&self, line: &str) -> String {
        if self.built_in {
            return line.to_owned();
        }
        let driver = clean_line(&self.driver, limits::COUNTER_NAME);
        format!("[driver {driver}] {line}")
    }

    /// Notes what is about to be created where it outlives this process.
    pub(crate) fn note_creation(&self, kind: ObjectKind, name: &str) -> Result<Noted, HostError> {
        self.journal.note(kind, name).map_err(|reason| {
            HostError::Answer(Error::Unavailable(format!(
                "{kind} {name} is not created, because it cannot be noted for a later clean-up: \
                 {reason}"
            )))
        })
    }

    /// Notes that the engine failed, and with which error of the contract the driver was told.
    pub(crate) fn note_engine_failure(&self, kind: EngineErrorKind, told: &Error) {
        let text = message(&cleaned(told.clone()));
        let mut failures = self
            .engine_failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failures.retain(|(known, _)| *known != kind);
        failures.push((kind, text));
    }

    /// Returns the kind of the engine's failure that a driver passes on: the latest one whose text is
    /// in the driver's error. A driver can return any text; the kinds are the host's own.
    pub(crate) fn engine_failure(&self, error: &Error) -> Option<EngineErrorKind> {
        let text = message(error);
        let failures = self
            .engine_failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let passed_on = |(_, known): &&(_, String)| text.contains(known);
        failures.iter().rev().find(passed_on).map(|(kind, _)| *kind)
    }

    /// Notes that the driver was refused something.
    pub(crate) fn note_denial(&self, denial: Denial) {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        denials.retain(|known| known.capability != denial.capability);
        denials.push(denial);
    }

    /// Returns the last denial of this capability by the host. A driver can return any text as a denial.
    pub(crate) fn denial(&self, capability: &str) -> Option<Denial> {
        let denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        denials
            .iter()
            .find(|known| known.capability == capability)
            .cloned()
    }

    /// Notes what helps against a conflict that the driver is about to be answered with.
    pub(crate) fn note_remedy(&self, remedy: Remedy) {
        *self.remedy.lock().unwrap_or_else(PoisonError::into_inner) = Some(remedy);
    }

    /// Returns what helps against the last conflict.
    pub(crate) fn remedy(&self) -> Option<Remedy> {
        let remedy = self.remedy.lock().unwrap_or_else(PoisonError::into_inner);
        remedy.clone()
    }

    /// Takes bytes and the cost of a record from the budget of output. Returns `false` if it is used up.
    pub(crate) fn spend_output(&self, bytes: usize) -> bool {
        self.output_left(bytes) == Output::Within
    }

    /// Takes bytes like [`Self::spend_output`], and tells when the budget is used up.
    pub(crate) fn output_left(&self, bytes: usize) -> Output {
        let bytes = bytes.saturating_add(limits::RECORD_BYTES) as u64;
        let spent = self.output.fetch_add(bytes, Ordering::Relaxed);
        if spent.saturating_add(bytes) <= limits::OUTPUT_BYTES {
            Output::Within
        } else if spent <= limits::OUTPUT_BYTES {
            Output::Spent
        } else {
            Output::Beyond
        }
    }
}

/// Where a record of output stands in its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is within it.
    Within,
    /// It is the first that is not.
    Spent,
    /// It was spent before.
    Beyond,
}

fn random_id() -> String {
    let mut bytes = [0u8; 12];
    // Never fails once the system is up; a constant would still only weaken the clean-up.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    hex::encode(&bytes)
}

/// The state of a store.
pub(crate) struct Host {
    pub(crate) table: ResourceTable,
    pub(crate) operation: Arc<Operation>,
    pub(crate) stderr: LastWords,
    /// Ticks of processor time since the driver last called the host.
    pub(crate) spins: u64,
    /// Set when a memory or table was refused, since the trap itself does not say.
    pub(crate) refused_growth: Option<String>,
    /// Bytes of all linear memories.
    memory: usize,
    wasi: WasiCtx,
    limits: StoreLimits,
}

impl Host {
    pub(crate) fn new(operation: Arc<Operation>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::RESOURCES);
        let stderr = LastWords::default();
        let wasi = WasiCtx::builder()
            .stderr(stderr.clone())
            // What a driver prints is for its author: the same place.
            .stdout(stderr.clone())
            .build();
        Self {
            table,
            operation,
            stderr,
            spins: 0,
            refused_growth: None,
            memory: 0,
            wasi,
            limits: StoreLimitsBuilder::new()
                .memory_size(limits::MEMORY_BYTES)
                .table_elements(limits::TABLE_ELEMENTS)
                .memories(limits::MEMORIES)
                .instances(limits::INSTANCES)
                .tables(limits::INSTANCES)
                .build(),
        }
    }

    /// Notes that the driver called the host, and says where it is.
    pub(crate) fn called(&mut self, function: &'static str) -> Arc<Operation> {
        self.called_with(function, |_, _| {})
    }

    /// As [`Self::called`]; `describe` puts the arguments into words, where somebody observes.
    pub(crate) fn called_with(
        &mut self,
        function: &'static str,
        describe: impl FnOnce(&mut Line, &ResourceTable),
    ) -> Arc<Operation> {
        self.spins = 0;
        if let Some(observer) = &self.operation.observer {
            let mut line = Line::default();
            describe(&mut line, &self.table);
            observer.call(function, line.text());
        }
        Arc::clone(&self.operation)
    }

    /// Tells the observer the answer to the present call.
    pub(crate) fn answered(&self, answer: impl FnOnce() -> String) {
        if let Some(observer) = &self.operation.observer {
            observer.answer(&answer());
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Several memories share what one may have.
        let all = self.memory.saturating_sub(current).saturating_add(desired);
        if all > limits::MEMORY_BYTES || !self.limits.memory_growing(current, desired, maximum)? {
            self.refused_growth = Some(format!(
                "it wanted {} MiB of memory, more than the {} MiB that a driver may have",
                all >> 20,
                limits::MEMORY_BYTES >> 20
            ));
            wasmtime::bail!("memory limit");
        }
        self.memory = all;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = self.limits.table_growing(current, desired, maximum)?;
        if !allowed {
            self.refused_growth = Some(format!(
                "it wanted a table of {desired} elements, more than the {} that a driver may have",
                limits::TABLE_ELEMENTS
            ));
            wasmtime::bail!("table limit");
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::INSTANCES
    }

    fn tables(&self) -> usize {
        limits::INSTANCES
    }

    fn memories(&self) -> usize {
        limits::MEMORIES
    }
}

/// Returns the text of an error as the host hands it to drivers, without a status.
fn message(error: &Error) -> String {
    match error {
        Error::Engine(failure) => failure.message.clone(),
        error => describe(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_share_what_one_may_have() {
        let actor = Actor {
            name: "driver",
            built_in: false,
            observer: None,
        };
        let setup = Setup {
            node: "",
            context: &NodeContext::of_nothing(),
            files: &Files::default(),
            user_words: &Arc::default(),
        };
        let operation = Operation::new(&actor, "boot", &setup, Contexts::default(), limits::PURE);
        let mut host = Host::new(Arc::new(operation));
        let mut grow = |current: usize, desired: usize| {
            let grown = host.memory_growing(current << 20, desired << 20, None);
            grown.map_err(|_| host.refused_growth.clone().expect("a reason"))
        };
        for (current, desired) in [(0, 100), (0, 100), (100, 156)] {
            assert_eq!(grow(current, desired), Ok(true));
        }
        let said = grow(0, 1).expect_err("more than all");
        assert!(said.contains("wanted 257 MiB"), "{said}");
    }
}
