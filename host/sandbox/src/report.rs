//! What the sandbox needs from its user: progress, logs, a ledger, and a client of BuildKit.

use async_trait::async_trait;
use bytes::Bytes;
use iechor_engine::BoxByteStream;
use iechor_engine::model::{LogStream, Platform};

pub use crate::dialer::{Dialer, LocalConnection, LocalSocket, SystemDialer};

use crate::removal::{Left, Object};

/// A progress step, unique in one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub u64);

/// Receives the progress of an operation. Texts of drivers have no control characters, except in
/// `output`.
pub trait Progress: Send + Sync {
    /// Returns a step began.
    fn begin(&self, step: StepId, parent: Option<StepId>, name: &str);
    /// Returns a step wrote something: raw bytes of a daemon.
    fn output(&self, step: StepId, stream: LogStream, data: Bytes);
    /// Returns a counter of a step changed, such as the bytes of a layer.
    fn count(&self, step: StepId, counter: &str, current: u64, total: Option<u64>);
    /// Returns a step ended.
    fn finish(&self, step: StepId, outcome: Result<(), String>);
}

/// Discards progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: StepId, _: Option<StepId>, _: &str) {}
    fn output(&self, _: StepId, _: LogStream, _: Bytes) {}
    fn count(&self, _: StepId, _: &str, _: u64, _: Option<u64>) {}
    fn finish(&self, _: StepId, _: Result<(), String>) {}
}

/// The level of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For the author of a driver.
    Debug,
    /// Details for users.
    Info,
    /// A possible problem.
    Warn,
    /// A failure.
    Error,
}

/// Receives the diagnostics of drivers.
pub trait Log: Send + Sync {
    /// Returns whether records of this level are kept.
    fn enabled(&self, level: LogLevel) -> bool;
    /// Keeps a record of a driver. It has no control characters.
    fn write(&self, level: LogLevel, driver: &str, message: &str, fields: &[(String, String)]);
}

/// Discards diagnostics.
pub struct NoLog;

impl Log for NoLog {
    fn enabled(&self, _: LogLevel) -> bool {
        false
    }
    fn write(&self, _: LogLevel, _: &str, _: &str, _: &[(String, String)]) {}
}

/// Records what operations are about to create, so that it can be removed even if this process ends
/// early.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records that an operation is about to create an object. Returns when the record would survive a
    /// crash of the machine.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be recorded. The object is not created then.
    fn intend(&self, operation: &str, object: &Object) -> Result<(), String>;

    /// Returns whether what a failed operation created may be removed: not if another process uses it.
    async fn may_undo(&self, operation: &str) -> bool;

    /// Records how an operation ended.
    fn end(&self, operation: &str, end: End<'_>);
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// It succeeded: what it created belongs to the node.
    Succeeded,
    /// It failed, and nothing is left of it.
    Undone,
    /// It failed, and these objects are left.
    Left(&'a [Left]),
    /// It failed, and what it created stays, because another process uses it.
    InUse,
}

/// Records nothing.
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
    /// Takes over a connection and checks that BuildKit answers on it.
    async fn connect(&self, stream: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String>;
}

/// BuildKit at the other end of a connection.
#[async_trait]
pub trait BuildKitClient: Send + Sync {
    /// Returns what answers.
    async fn version(&self) -> Result<BuildKitVersion, String>;
    /// Returns its workers.
    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String>;
}

/// The version of a BuildKit. Empty texts are unknown.
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
    /// Platforms that it builds for.
    pub platforms: Vec<Platform>,
}
