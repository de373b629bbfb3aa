//! One operation of one driver: the state behind its store.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_engine::known::KnownEngines;
use iechor_engine::{Engine, EngineErrorKind, ObjectKind};
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::contract::{Denial, Error};
use crate::capability::HostError;
use crate::counters::Counters;
use crate::driver::{Driver, Source};
use crate::error::{cleaned, describe};
use crate::files::Files;
use crate::grant::Grants;
use crate::journal::{Journal, Noted};
use crate::last_words::LastWords;
use crate::limits;
use crate::node::NodeContext;
use crate::observer::{Line, Observer};
use crate::ownership::Owner;
use crate::report::{BuildKit, Dialer, Log, Progress};
use crate::text::clean_line;
use crate::user_words::UserWords;

/// What an operation may use and has used. Outlives the store, which a trap throws away.
pub(crate) struct Operation {
    /// Random; objects that this operation creates are labelled with it.
    pub(crate) id: String,
    /// The operation of the contract, `boot`.
    name: &'static str,
    /// The driver's name, for the log.
    pub(crate) driver: String,
    /// It comes with this program.
    built_in: bool,
    pub(crate) owner: Owner,
    pub(crate) grants: Grants,
    /// The user's files, which the driver does not see.
    pub(crate) files: Files,
    /// What the user said of the node himself.
    pub(crate) user_words: Arc<UserWords>,
    /// `None` in the pure functions, and for a driver that imports nothing of it.
    pub(crate) engine: Option<Arc<dyn Engine>>,
    /// What it is connected to by no means.
    pub(crate) engines: Arc<KnownEngines>,
    pub(crate) buildkit: Arc<dyn BuildKit>,
    pub(crate) dialer: Arc<dyn Dialer>,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) log: Arc<dyn Log>,
    /// Sees what the driver does, where a test kit asked for it.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) journal: Journal,
    pub(crate) steps: AtomicU64,
    pub(crate) counters: Mutex<Counters>,
    /// What the host refused, the last of each capability.
    denials: Mutex<Vec<Denial>>,
    /// The latest failure of the engine of each kind, with its text.
    engine_failures: Mutex<Vec<(EngineErrorKind, String)>>,
    requests: AtomicU32,
    output: AtomicU64,
}

impl Operation {
    /// An operation of a node, which has `limit` from now.
    pub(crate) fn new(
        driver: &Driver,
        name: &'static str,
        node: &str,
        files: Files,
        context: &NodeContext,
        limit: Duration,
    ) -> Self {
        let started = Instant::now();
        let id = random_id();
        Self {
            journal: Journal::new(id.clone(), Arc::clone(&context.ledger)),
            id,
            name,
            driver: driver.name().to_owned(),
            built_in: *driver.source() == Source::Embedded,
            owner: Owner {
                builder: context.builder.clone(),
                node: node.to_owned(),
                driver: driver.name().to_owned(),
            },
            grants: context.grants.clone(),
            files,
            user_words: Arc::default(),
            engine: context.engine.clone(),
            engines: Arc::clone(&context.engines),
            buildkit: Arc::clone(&context.buildkit),
            dialer: Arc::clone(&context.dialer),
            progress: Arc::clone(&context.progress),
            log: Arc::clone(&context.log),
            observer: driver.observer().cloned(),
            started,
            deadline: started + limit,
            steps: AtomicU64::new(0),
            counters: Mutex::default(),
            denials: Mutex::default(),
            engine_failures: Mutex::default(),
            requests: AtomicU32::new(0),
            output: AtomicU64::new(0),
        }
    }

    /// The same of a node of which the user said this.
    pub(crate) fn with_user_words(self, user_words: Arc<UserWords>) -> Self {
        Self { user_words, ..self }
    }

    /// The engine, for one more request.
    pub(crate) fn engine(&self) -> Result<Arc<dyn Engine>, HostError> {
        let Some(engine) = &self.engine else {
            return Err(HostError::Answer(Error::Denied(Denial {
                capability: "engine".into(),
                detail: "there is none here: describe, priority and validate reach nothing".into(),
            })));
        };
        if self.requests.fetch_add(1, Ordering::Relaxed) >= limits::ENGINE_REQUESTS {
            return Err(HostError::limit(format!(
                "more than {} requests to the engine in one operation",
                limits::ENGINE_REQUESTS
            )));
        }
        Ok(Arc::clone(engine))
    }

    /// Whether one more object may be created. A query that created something would leave it behind
    /// for good: nobody removes a builder because it was looked at.
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

    /// Puts the driver's name before a line of progress that the driver worded, where it does not come
    /// with this program: its words stand among the steps of a build and the lines of the program,
    /// and cannot pass for either.
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
    pub(crate) fn note_denial(&self, denial: &Denial) {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        denials.retain(|known| known.capability != denial.capability);
        denials.push(denial.clone());
    }

    /// What the host said when it last refused this capability. A driver can return any words as a
    /// denial; these are the host's own.
    pub(crate) fn denial(&self, capability: &str) -> Option<Denial> {
        let denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        denials
            .iter()
            .find(|known| known.capability == capability)
            .cloned()
    }

    /// Takes so many bytes, and what any record costs, from the budget of output; `false` where it
    /// is spent.
    pub(crate) fn spend_output(&self, bytes: usize) -> bool {
        self.output_left(bytes) == Output::Within
    }

    /// As [`Self::spend_output`], with the moment at which it was spent.
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
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    use crate::Sandbox;

    #[test]
    fn several_memories_share_what_one_may_have() {
        let driver = Sandbox::embedded("remote")
            .expect("loads")
            .expect("built in");
        let context = NodeContext::of_nothing();
        let operation = Operation::new(
            &driver,
            "boot",
            "",
            Files::default(),
            &context,
            limits::PURE,
        );
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
