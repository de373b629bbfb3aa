//! What an operation created, so that a failed one leaves nothing behind.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_engine::{Engine, EngineError, ObjectKind};
use tokio_util::task::TaskTracker;

use crate::ownership::OPERATION_LABEL;

/// The objects that one operation set out to create.
#[derive(Default)]
pub(crate) struct Journal {
    intents: Mutex<Vec<(ObjectKind, String)>>,
    /// Networks and the containers that were put into them: a network that has one stays.
    attachments: Mutex<Vec<(String, String)>>,
    requests: TaskTracker,
}

impl Journal {
    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.intents().len()
    }

    /// Runs a request that creates an object. It runs to its end even where whoever waits for it
    /// is gone: only then is known whether there is something to remove.
    pub(crate) async fn create<T, F>(
        &self,
        kind: ObjectKind,
        name: &str,
        request: F,
    ) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        self.intents().push((kind, name.to_owned()));
        match self.requests.spawn(request).await {
            Ok(result) => result,
            Err(panic) => Err(EngineError::Protocol(format!(
                "the request failed: {panic}"
            ))),
        }
    }

    /// Notes that a container is about to be put into a network.
    pub(crate) fn attach(&self, network: &str, container: &str) {
        self.attachments().push((network.into(), container.into()));
    }

    fn attachments(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.attachments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what was created, the last first. What carries another operation's label existed
    /// before and stays.
    ///
    /// # Errors
    ///
    /// What could not be removed, and why.
    pub(crate) async fn undo(
        &self,
        engine: &Arc<dyn Engine>,
        operation: &str,
        limit: Duration,
    ) -> Result<(), Vec<String>> {
        let mut left: Vec<_> = self.intents().drain(..).rev().collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut failures = Vec::new();
        let work = async {
            self.requests.close();
            self.requests.wait().await;
            while let Some((kind, name)) = left.first().cloned() {
                if kind == ObjectKind::Network {
                    self.detach(engine.as_ref(), &name).await;
                }
                if let Err(error) = remove(engine.as_ref(), kind, &name, operation).await {
                    failures.push(format!("{kind} {name} is left behind: {error}"));
                }
                left.remove(0);
            }
        };
        if tokio::time::timeout(limit, work).await.is_err() {
            failures.extend(
                left.iter()
                    .map(|(kind, name)| format!("{kind} {name} may be left behind: out of time")),
            );
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// Takes out of a network what the operation put into it.
    async fn detach(&self, engine: &dyn Engine, network: &str) {
        let attached: Vec<_> = self.attachments().clone();
        for (_, container) in attached.iter().filter(|(name, _)| name == network) {
            // Where it stays in there, the network does too, and that is said.
            let _ = engine.disconnect_network(network, container, true).await;
        }
    }

    fn intents(&self) -> std::sync::MutexGuard<'_, Vec<(ObjectKind, String)>> {
        self.intents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn remove(
    engine: &dyn Engine,
    kind: ObjectKind,
    name: &str,
    operation: &str,
) -> Result<(), EngineError> {
    let labels = match kind {
        ObjectKind::Container => engine
            .inspect_container(name)
            .await?
            .map(|found| found.labels),
        ObjectKind::Volume => engine.inspect_volume(name).await?.map(|found| found.labels),
        ObjectKind::Network => engine
            .inspect_network(name)
            .await?
            .map(|found| found.labels),
        ObjectKind::Image => None,
    };
    let ours = labels.is_some_and(|labels| {
        labels
            .get(OPERATION_LABEL)
            .is_some_and(|label| label == operation)
    });
    if !ours {
        return Ok(());
    }
    let removed = match kind {
        ObjectKind::Container => engine.remove_container(name, true).await,
        ObjectKind::Volume => engine.remove_volume(name, false).await,
        ObjectKind::Network => engine.remove_network(name).await,
        ObjectKind::Image => Ok(()),
    };
    match removed {
        Err(EngineError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
