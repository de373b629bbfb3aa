//! The state of a command that works with drivers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use iechor_engine::config::DockerConfig;
use iechor_files::{Directory, Locked};
use iechor_registry::Digest;
use iechor_sandbox::Policy;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::error::CatalogError;
use crate::loaded::Loaded;
use crate::lock::LockFile;
use crate::policy::{Places, PolicyError};
use crate::storage::Storage;
use crate::users::Users;

/// The available drivers, for the duration of one command.
pub struct Catalog {
    storage: Storage,
    config: Arc<DockerConfig>,
    cancel: CancellationToken,
    policy: OnceLock<Result<Arc<Policy>, PolicyError>>,
    loaded: Mutex<HashMap<String, Arc<OnceCell<Loaded>>>>,
}

impl Catalog {
    /// Returns the catalog of a store. `users` lists the builders of the store, `config` has the credentials
    /// of registries, and `cancel` cancels work in progress. Reads nothing yet.
    pub fn new(
        store: Directory,
        users: Arc<dyn Users>,
        config: Arc<DockerConfig>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            storage: Storage::new(store, users),
            config,
            cancel,
            policy: OnceLock::new(),
            loaded: Mutex::default(),
        }
    }

    /// Returns the storage of installed drivers.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Returns the organisation's policy. It is read once, so that it is the same for the whole command.
    ///
    /// # Errors
    ///
    /// Returns an error if a policy cannot be read or parsed. In this case no driver may run.
    pub fn policy(&self) -> Result<Arc<Policy>, CatalogError> {
        let policy = self
            .policy
            .get_or_init(|| Places::from_process().load().map(Arc::new));
        Ok(policy.clone()?)
    }

    pub(crate) fn config(&self) -> &DockerConfig {
        &self.config
    }

    /// Checks that the user has not cancelled. `what` describes the work that would begin.
    pub(crate) fn check_cancelled(&self, what: &'static str) -> Result<(), CatalogError> {
        match self.cancel.is_cancelled() {
            true => Err(CatalogError::Cancelled(what)),
            false => Ok(()),
        }
    }

    /// Waits for work that has no effect yet, until the user cancels. `what` describes the work.
    pub(crate) async fn unless_cancelled<T, E: Into<CatalogError>>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CatalogError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(CatalogError::Cancelled(what)),
            result = work => result.map_err(Into::into),
        }
    }

    /// Returns the driver that `text` names. If this command has not loaded it yet, loads it with `load`.
    /// Errors are not cached.
    pub(crate) async fn loaded_once(
        &self,
        text: &str,
        load: impl Future<Output = Result<Loaded, CatalogError>>,
    ) -> Result<Loaded, CatalogError> {
        let cell = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(loaded.entry(text.to_owned()).or_default())
        };
        cell.get_or_try_init(|| load).await.cloned()
    }

    /// Changes the lock file, see [`Storage::edit`]. Drivers are loaded again after that.
    pub(crate) fn edit<T>(
        &self,
        component: Option<(&Digest, &[u8])>,
        change: impl FnOnce(&mut LockFile) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let changed = self.storage.edit(component, change);
        self.forget_loaded();
        changed
    }

    /// Does what [`Self::edit`] does, under the store's lock, which the caller holds.
    pub(crate) fn edit_in<T>(
        &self,
        locked: &Locked,
        change: impl FnOnce(&mut LockFile) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let changed = self.storage.edit_in(locked, None, change);
        self.forget_loaded();
        changed
    }

    fn forget_loaded(&self) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.clear();
    }
}
