//! What surrounds a command that works with drivers.

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

/// The drivers that there are, for the duration of one command.
pub struct Catalog {
    storage: Storage,
    config: Arc<DockerConfig>,
    cancel: CancellationToken,
    policy: OnceLock<Result<Arc<Policy>, PolicyError>>,
    loaded: Mutex<HashMap<String, Arc<OnceCell<Loaded>>>>,
}

impl Catalog {
    /// Returns the catalog of the store in that directory. `users` lists the store's builders,
    /// `config` has the credentials of registries, and `cancel` ends what is in progress. Nothing is
    /// read yet.
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

    /// Returns where installed drivers are kept.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Returns what the organisation allows drivers: read once, so that it is the same for the whole
    /// command.
    ///
    /// # Errors
    ///
    /// Where a policy cannot be read or understood; no driver may run then.
    pub fn policy(&self) -> Result<Arc<Policy>, CatalogError> {
        let policy = self
            .policy
            .get_or_init(|| Places::from_process().load().map(Arc::new));
        Ok(policy.clone()?)
    }

    pub(crate) fn config(&self) -> &DockerConfig {
        &self.config
    }

    /// Checks that the user has not cancelled; `what` names the work that would begin.
    pub(crate) fn check_cancelled(&self, what: &'static str) -> Result<(), CatalogError> {
        match self.cancel.is_cancelled() {
            true => Err(CatalogError::Cancelled(what)),
            false => Ok(()),
        }
    }

    /// Waits for work that has no effect yet, until the user cancels; `what` names it.
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

    /// Returns the driver that `text` names: as it was loaded before by this command, else as `load`
    /// does. A failure is not kept.
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

    /// Changes the lock file, see [`Storage::edit`]. Drivers are loaded anew after that.
    pub(crate) fn edit<T>(
        &self,
        component: Option<(&Digest, &[u8])>,
        change: impl FnOnce(&mut LockFile) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let changed = self.storage.edit(component, change);
        self.forget_loaded();
        changed
    }

    /// As [`Self::edit`], under the store's lock that is held already.
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
