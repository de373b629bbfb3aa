//! Use of a node by several processes.

use std::sync::Arc;

use super::LiveNode;
use crate::error::BuilderError;
use crate::ledger;
use crate::leftovers::{self, Place, Settled};
use crate::store::NodeLock;

impl LiveNode {
    pub(super) fn lock(&self) -> Result<Arc<NodeLock>, BuilderError> {
        let lock = self
            .uses
            .lock(&self.store, &self.builder, &self.name, &self.endpoint)?;
        Ok(lock)
    }

    /// Locks the node so that other processes do not remove its objects, and removes the objects
    /// that interrupted boots of the node left, if no other process uses the node.
    pub(super) async fn begin_use(&self) -> Result<(), BuilderError> {
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        let lock = self.lock()?;
        ledger::share(&lock, &self.name, &self.cancel).await?;
        let place = Place {
            store: &self.store,
            uses: &self.uses,
            cancel: &self.cancel,
        };
        for unfinished in self.store.unfinished_of(&self.builder)? {
            let purpose = &unfinished.purpose;
            if purpose.node != self.name || purpose.endpoint != self.endpoint {
                continue;
            }
            let engine = Ok(Arc::clone(engine));
            let settled = leftovers::settle(place, engine, &unfinished, false).await?;
            leftovers::report(self.workspace_log.as_ref(), &unfinished, &settled);
            if let Settled::Left(remnants) = settled {
                return Err(BuilderError::Incomplete {
                    builder: self.builder.clone(),
                    endpoint: self.endpoint.clone(),
                    remnants,
                    error: None,
                });
            }
            // Another process may have started to clean up in between.
            ledger::share(&lock, &self.name, &self.cancel).await?;
        }
        Ok(())
    }

    /// Records that the node runs, whichever process started its boot.
    pub(super) async fn confirm(&self) -> Result<(), BuilderError> {
        if self.engine.is_none() {
            return Ok(());
        }
        leftovers::adopt(&self.store, &self.builder, &self.name, &self.endpoint).await
    }
}
