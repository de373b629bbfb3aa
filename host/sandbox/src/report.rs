//! What a sandbox needs from above: where words and progress go, and who speaks to BuildKit.

use async_trait::async_trait;
use bytes::Bytes;
use iechor_engine::BoxByteStream;
use iechor_engine::model::{LogStream, Platform};

pub use crate::dialer::{Dialer, LocalConnection, LocalSocket, SystemDialer};

use crate::removal::{Left, Object};

/// A progress step, unique in one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub u64);

/// Where the progress of an operation goes. What comes from a driver is cleaned of control
/// characters already, except for `output`.
pub trait Progress: Send + Sync {
    /// A step began.
    fn begin(&self, step: StepId, parent: Option<StepId>, name: &str);
    /// A step wrote something: raw bytes of a daemon.
    fn output(&self, step: StepId, stream: LogStream, data: Bytes);
    /// A counter of a step changed, such as the bytes of a layer.
    fn count(&self, step: StepId, counter: &str, current: u64, total: Option<u64>);
    /// A step ended.
    fn finish(&self, step: StepId, outcome: Result<(), String>);
}

/// Progress that nobody watches.
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: StepId, _: Option<StepId>, _: &str) {}
    fn output(&self, _: StepId, _: LogStream, _: Bytes) {}
    fn count(&self, _: StepId, _: &str, _: u64, _: Option<u64>) {}
    fn finish(&self, _: StepId, _: Result<(), String>) {}
}

/// How much a record of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the author of a driver.
    Debug,
    /// For a person who wonders.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Where diagnostics of drivers go.
pub trait Log: Send + Sync {
    /// Whether a record at this level is kept.
    fn enabled(&self, level: LogLevel) -> bool;
    /// Keeps a record of the driver of that name; cleaned already.
    fn write(&self, level: LogLevel, driver: &str, message: &str, fields: &[(String, String)]);
}

/// A log that keeps nothing.
pub struct NoLog;

impl Log for NoLog {
    fn enabled(&self, _: LogLevel) -> bool {
        false
    }
    fn write(&self, _: LogLevel, _: &str, _: &str, _: &[(String, String)]) {}
}

/// Keeps what operations are about to create, so that it is known even where this process ends
/// before it could undo it.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Notes that an operation is about to create an object. Returns when the note would survive
    /// the end of the machine.
    ///
    /// # Errors
    ///
    /// Why it cannot be noted. The object is not created then.
    fn intend(&self, operation: &str, object: &Object) -> Result<(), String>;

    /// Returns whether what a failed operation created may be removed: it may not where another
    /// process uses it by now.
    async fn may_undo(&self, operation: &str) -> bool;

    /// Notes how an operation ended that noted something.
    fn end(&self, operation: &str, end: End<'_>);
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// It succeeded: what it created is the node's.
    Succeeded,
    /// It failed, and nothing is left of it.
    Undone,
    /// It failed, and this is left.
    Left(&'a [Left]),
    /// It failed, and what it created stays, because another process uses it.
    InUse,
}

/// A ledger for who looks after the engine otherwise.
pub struct NoLedger;

#[async_trait]
impl Ledger for NoLedger {
    fn intend(&self, _: &str, _: &Object) -> Result<(), String> {
        Ok(())
    }

    async fn may_undo(&self, _: &str) -> bool {
        true
    }

    fn end(&self, _: &str, _: End<'_>) {}
}

/// Speaks BuildKit's protocol for drivers.
#[async_trait]
pub trait BuildKit: Send + Sync {
    /// Takes a connection over and checks that BuildKit answers on it.
    async fn connect(&self, stream: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String>;
}

/// BuildKit at the other end of a connection.
#[async_trait]
pub trait BuildKitClient: Send + Sync {
    /// What answers.
    async fn version(&self) -> Result<BuildKitVersion, String>;
    /// Its workers.
    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String>;
}

/// The version of a BuildKit. Empty where it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildKitVersion {
    /// For example `v0.31.0`.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The Go package.
    pub package: String,
}

/// A worker of a BuildKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildKitWorker {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What it builds for.
    pub platforms: Vec<Platform>,
}
