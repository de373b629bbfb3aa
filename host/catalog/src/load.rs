//! Loads the driver that the user named.

use std::path::PathBuf;
use std::sync::Arc;

use iechor_registry::Digest;
use iechor_sandbox::{Binary, Driver, Policy, Sandbox, Source, limits};

use crate::admission;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::loaded::{Loaded, Origin};
use crate::lock::{Installed, LockFile};
use crate::reference::{DriverReference, Place};
use crate::source;
use crate::storage::Storage;

/// Description of loading a driver, which can include compiling it for seconds.
const LOADING: &str = "loading the driver";

impl Catalog {
    /// Loads the driver that `text` names, see [`DriverReference`]. A driver is loaded once, and again only
    /// after drivers or grants changed.
    ///
    /// # Errors
    ///
    /// Returns an error if the driver does not exist, is not the trusted or pinned one, is not allowed by
    /// the policy, or cannot be loaded.
    pub async fn load(&self, text: &str) -> Result<Loaded, CatalogError> {
        self.loaded_once(text, self.load_anew(text)).await
    }

    async fn load_anew(&self, text: &str) -> Result<Loaded, CatalogError> {
        let policy = self.policy()?;
        let DriverReference { place, digest } = text.parse()?;
        let digest = digest.as_ref();
        match place {
            Place::File(path) => self.load_file(policy, path, digest).await,
            Place::Name(name) => match load_built_in(&policy, &name, digest)? {
                Some(driver) => Ok(Loaded {
                    driver,
                    origin: Origin::BuiltIn,
                    granted: Vec::new(),
                    useless: Vec::new(),
                    policy,
                }),
                None => self.load_name(policy, &name, digest).await,
            },
        }
    }

    async fn load_file(
        &self,
        policy: Arc<Policy>,
        path: PathBuf,
        pinned: Option<&Digest>,
    ) -> Result<Loaded, CatalogError> {
        let (binary, real) = Binary::read(&path)?;
        let name = path.display().to_string();
        let from = admission::file(&real);
        admission::admit(&policy, &name, binary.digest(), &from, pinned)?;
        let lock = self.storage().lock_file()?;
        let granted = lock.grants(binary.digest());
        let useless = useless(&lock, binary.digest());
        let place = Source::File(path.clone());
        Ok(Loaded {
            driver: self.component(name, place, binary).await?,
            origin: Origin::File(path),
            granted,
            useless,
            policy,
        })
    }

    async fn load_name(
        &self,
        policy: Arc<Policy>,
        name: &str,
        pinned: Option<&Digest>,
    ) -> Result<Loaded, CatalogError> {
        let lock = self.storage().lock_file()?;
        let mut entry = lock.known(name)?;
        // A pinned builder uses the component that it was created with, even if another was installed.
        if let Some(pinned) = pinned
            && self.storage().component_path(pinned).is_file()
        {
            entry.digest = pinned.clone();
        }
        admit_installed(&policy, &entry, pinned)?;
        Ok(Loaded {
            driver: self.load_installed(&entry).await?,
            granted: lock.grants(entry.digest.as_str()),
            useless: useless(&lock, entry.digest.as_str()),
            origin: Origin::Installed(Box::new(entry)),
            policy,
        })
    }

    /// Checks the policy, and loads an installed driver from the current file of its component.
    ///
    /// # Errors
    ///
    /// Returns the reason why it cannot be loaded.
    pub(crate) async fn load_entry(&self, entry: &Installed) -> Result<Arc<Driver>, CatalogError> {
        admit_installed(&*self.policy()?, entry, None)?;
        self.load_installed(entry).await
    }

    /// Loads an installed driver that the caller has admitted.
    async fn load_installed(&self, entry: &Installed) -> Result<Arc<Driver>, CatalogError> {
        let (path, binary) = read_installed(self.storage(), entry)?;
        let place = Source::File(path);
        self.component(entry.name.clone(), place, binary).await
    }

    /// Loads a component that was read and admitted, unless the user cancels.
    pub(crate) async fn component(
        &self,
        name: String,
        place: Source,
        binary: Binary,
    ) -> Result<Arc<Driver>, CatalogError> {
        let loading = Sandbox::component(name, place, binary);
        self.unless_cancelled(LOADING, loading).await
    }
}

/// Loads the built-in driver with the given name or alias, if the policy allows it. Returns `None` if
/// there is no such driver.
///
/// # Errors
///
/// Returns an error if it is not allowed, is not the pinned one, or cannot be loaded.
pub fn load_built_in(
    policy: &Policy,
    name: &str,
    pinned: Option<&Digest>,
) -> Result<Option<Arc<Driver>>, CatalogError> {
    let Some(driver) = Sandbox::embedded(name)? else {
        return Ok(None);
    };
    let from = admission::built_in(driver.name());
    admission::admit(policy, driver.name(), driver.digest(), &from, pinned)?;
    Ok(Some(driver))
}

fn admit_installed(
    policy: &Policy,
    entry: &Installed,
    pinned: Option<&Digest>,
) -> Result<(), CatalogError> {
    let source: source::Source = entry.pinned.parse()?;
    let from = admission::fetched(&source);
    admission::admit(policy, &entry.name, entry.digest.as_str(), &from, pinned)
}

fn read_installed(storage: &Storage, entry: &Installed) -> Result<(PathBuf, Binary), CatalogError> {
    let path = storage.component_path(&entry.digest);
    let binary = match iechor_files::read(&path, limits::COMPONENT_BYTES) {
        Ok(bytes) => Binary::new(bytes),
        Err(error) => {
            return Err(CatalogError::Gone {
                name: entry.name.clone(),
                path,
                reason: error.to_string(),
            });
        }
    };
    // Check this before anything is compiled.
    if binary.digest() != entry.digest.as_str() {
        return Err(CatalogError::Changed {
            name: entry.name.clone(),
            expected: entry.digest.clone(),
            found: binary.digest().to_owned(),
        });
    }
    Ok((path, binary))
}

/// Returns the grants of a digest that have no effect, each with its fault.
pub(crate) fn useless(lock: &LockFile, digest: &str) -> Vec<(String, String)> {
    let useless = lock.useless_grants(digest).into_iter();
    useless.map(|(text, why)| (text.to_owned(), why)).collect()
}

#[cfg(test)]
mod tests {
    use iechor_engine::config::DockerConfig;
    use iechor_files::Directory;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::users::{Use, Users};

    struct NoUsers;

    impl Users for NoUsers {
        fn list(&self) -> Result<Vec<Use>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn a_driver_is_loaded_once_until_something_changes() {
        let directory = tempfile::tempdir().expect("a directory");
        let catalog = Catalog::new(
            Directory::at(directory.path()),
            Arc::new(NoUsers),
            Arc::new(DockerConfig::default()),
            CancellationToken::new(),
        );
        let load = async || catalog.load("remote").await.expect("built in").driver;
        let (one, other) = tokio::join!(load(), load());
        assert!(Arc::ptr_eq(&one, &other));
        catalog.edit(None, |_| Ok(())).expect("written");
        assert!(!Arc::ptr_eq(&one, &load().await));
    }
}
