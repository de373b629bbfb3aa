//! Records of the objects that boots of a node create, and locks of the nodes that this process
//! uses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use iechor_engine::Engine;
use iechor_sandbox::removal::Object;
use iechor_sandbox::{End, Ledger, Log, LogLevel};
use tokio_util::sync::CancellationToken;

use crate::boot_log::{self, BootLog};
use crate::error::BuilderError;
use crate::store::{NodeLock, Purpose, Record, Remnant, Store, StoreError};

/// Maximum time that another process has to clean up a node: that of a removal.
const CLEAN_UP: Duration = iechor_sandbox::limits::CHANGE;

/// Interval between two attempts to lock.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Locks of the nodes that this process uses, held until it ends. Other processes do not remove
/// objects of these nodes.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<String, Arc<NodeLock>>>);

impl Uses {
    /// Returns the lock of a node, always the same one within this process.
    pub(crate) fn lock(
        &self,
        store: &Store,
        builder: &str,
        node: &str,
        endpoint: &str,
    ) -> Result<Arc<NodeLock>, StoreError> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}\n{node}\n{endpoint}", builder.to_ascii_lowercase());
        if let Some(lock) = locks.get(&key) {
            return Ok(Arc::clone(lock));
        }
        let lock = Arc::new(store.node_lock(builder, node, endpoint)?);
        locks.insert(key, Arc::clone(&lock));
        Ok(lock)
    }
}

/// Shares the lock of a node. Waits while another process cleans up.
///
/// # Errors
///
/// If that takes too long, or the user cancels.
pub(crate) async fn share(
    lock: &NodeLock,
    node: &str,
    cancel: &CancellationToken,
) -> Result<(), BuilderError> {
    let _wait = iechor_waiting::begin("another process", format!("clean up node {node}"));
    let wait = async {
        while !lock.try_share()? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(BuilderError::Cancelled("waiting for a clean-up")),
        shared = tokio::time::timeout(CLEAN_UP, wait) => shared.unwrap_or_else(|_| {
            Err(BuilderError::TimedOut {
                what: format!("another process that cleans up node {node}"),
                seconds: CLEAN_UP.as_secs(),
            })
        }),
    }
}

/// Records the objects that operations of a node create.
pub(crate) struct NodeLedger {
    store: Store,
    purpose: Purpose,
    lock: Arc<NodeLock>,
    log: Arc<dyn Log>,
    engine: Option<Arc<dyn Engine>>,
    cancel: CancellationToken,
    boot_log: Mutex<Option<BootLog>>,
    records: Mutex<HashMap<String, Record>>,
    left: Mutex<Vec<Remnant>>,
}

impl NodeLedger {
    pub(crate) fn new(
        store: Store,
        purpose: Purpose,
        lock: Arc<NodeLock>,
        log: Arc<dyn Log>,
        engine: Option<Arc<dyn Engine>>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            store,
            purpose,
            lock,
            log,
            engine,
            cancel,
            boot_log: Mutex::default(),
            records: Mutex::default(),
            left: Mutex::default(),
        }
    }

    /// Returns the objects that the operations left in the engine.
    pub(crate) fn left(&self) -> Vec<Remnant> {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the log of the container that was removed after a boot that failed.
    pub(crate) fn boot_log(&self) -> Option<BootLog> {
        self.boot_log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn leave(&self, remnants: impl IntoIterator<Item = Remnant>) {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(remnants);
    }

    fn take(&self, operation: &str) -> Option<Record> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(operation)
    }

    /// Ends an operation that left no objects other than those of the node.
    fn settle(&self, operation: &str) -> Result<(), StoreError> {
        self.take(operation).map_or(Ok(()), Record::remove)
    }

    fn succeed(&self, operation: &str) -> Result<(), StoreError> {
        let state = self.store.read()?;
        let is_stored = matches!(state.builder(&self.purpose.builder), Ok(Some(_)) | Err(_));
        if is_stored {
            return self.settle(operation);
        }
        // Another process removed the builder in the meantime, and could not know of these objects.
        self.take(operation);
        self.log.write(
            LogLevel::Warn,
            &self.purpose.driver,
            &format!(
                "builder {} was removed during its boot; the objects that the boot created are still \
                 there",
                self.purpose.builder
            ),
            &[],
        );
        Ok(())
    }
}

#[async_trait]
impl Ledger for NodeLedger {
    fn intend(&self, operation: &str, object: &Object) -> Result<(), String> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = match records.get_mut(operation) {
            Some(record) => record.creates(object),
            None => self
                .store
                .begin_record(operation, &self.purpose, object)
                .map(|record| {
                    records.insert(operation.to_owned(), record);
                }),
        };
        noted.map_err(|error| error.to_string())
    }

    async fn may_undo(&self, _: &str) -> bool {
        // Nobody reads the log of a boot that the user cancelled.
        if let Some(engine) = &self.engine
            && !self.cancel.is_cancelled()
        {
            let Purpose { builder, node, .. } = &self.purpose;
            let read = boot_log::read(engine.as_ref(), &self.store, builder, node).await;
            *self.boot_log.lock().unwrap_or_else(PoisonError::into_inner) = read;
        }
        // If the lock cannot be tested, it protects nothing.
        self.lock.try_alone().unwrap_or(true)
    }

    fn end(&self, operation: &str, end: End<'_>) {
        let noted = match end {
            End::Succeeded => self.succeed(operation),
            End::Undone => self.settle(operation),
            End::Left(left) => {
                self.leave(left.iter().map(Remnant::from));
                match self.take(operation) {
                    Some(mut record) => record.leaves(left),
                    None => Ok(()),
                }
            }
            End::InUse => {
                self.take(operation);
                Ok(())
            }
        };
        if let Err(error) = noted {
            // The record stays, and the next command finds nothing to remove.
            self.log.write(
                LogLevel::Warn,
                &self.purpose.driver,
                &format!("cannot record the end of an operation: {error}"),
                &[],
            );
        }
        // Other processes may use the node again. If this fails, the lock is held for longer than
        // necessary.
        let _ = self.lock.try_share();
    }
}
