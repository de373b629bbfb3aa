//! Records what an operation created, so that a failed operation leaves nothing behind.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iechor_engine::{Engine, EngineError, ObjectKind};

use crate::ownership::OPERATION_LABEL;
use crate::removal::{Doomed, Left, Object, Removal, Request};
use crate::report::Ledger;

/// The objects that one operation set out to create.
pub(crate) struct Journal {
    /// The operation's id.
    operation: String,
    /// Outlives this process.
    ledger: Arc<dyn Ledger>,
    intents: Mutex<Vec<(Object, Arc<Request>)>>,
    /// Networks and the containers that were put into them: a network that has one stays.
    attachments: Mutex<Vec<(String, String)>>,
}

/// An object that the ledger has, so that it may be created.
#[must_use]
pub(crate) struct Noted(Object);

impl Journal {
    pub(crate) fn new(operation: String, ledger: Arc<dyn Ledger>) -> Self {
        Self {
            operation,
            ledger,
            intents: Mutex::default(),
            attachments: Mutex::default(),
        }
    }

    /// Returns how many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.intents().len()
    }

    /// Returns the names of the containers that were created, or may have been.
    pub(crate) fn containers(&self) -> Vec<String> {
        let intents = self.intents();
        let containers = intents
            .iter()
            .filter(|(object, _)| object.kind == ObjectKind::Container);
        containers.map(|(object, _)| object.name.clone()).collect()
    }

    /// Notes an object in the ledger, before anything creates it.
    ///
    /// # Errors
    ///
    /// Why the ledger does not take it; nothing may be created then.
    pub(crate) fn note(&self, kind: ObjectKind, name: &str) -> Result<Noted, String> {
        let object = Object {
            kind,
            name: name.to_owned(),
        };
        self.ledger.intend(&self.operation, &object)?;
        Ok(Noted(object))
    }

    /// Runs a request that creates an object. It runs to its end even if the caller stops waiting: only
    /// then it is known whether there is something to remove.
    pub(crate) async fn create<T, F>(&self, noted: Noted, request: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        let ended = Arc::new(Request::default());
        self.intents().push((noted.0, Arc::clone(&ended)));
        let request = tokio::spawn(async move {
            let result = request.await;
            ended.end(&result);
            result
        });
        match request.await {
            Ok(result) => result,
            Err(panic) => Err(EngineError::Protocol(format!(
                "the request failed: {panic}"
            ))),
        }
    }

    /// Notes that a container is about to be put into a network.
    pub(crate) fn attach(&self, network: &str, container: &str) {
        self.attachments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((network.into(), container.into()));
    }

    /// Removes what was created. What carries another operation's label existed before and stays.
    /// Returns what could not be removed within `limit`.
    pub(crate) async fn undo(&self, engine: &Arc<dyn Engine>, limit: Duration) -> Vec<Left> {
        let objects: Vec<_> = self
            .intents()
            .drain(..)
            .map(|(object, request)| Doomed::of_request(object, request))
            .collect();
        let attachments = &self.attachments;
        let removal = Removal {
            engine: Arc::clone(engine),
            labels: BTreeMap::from([(OPERATION_LABEL.into(), self.operation.clone())]),
            attached: attachments
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        };
        removal.run(objects, limit).await.left
    }

    fn intents(&self) -> std::sync::MutexGuard<'_, Vec<(Object, Arc<Request>)>> {
        self.intents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
