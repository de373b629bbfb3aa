//! A fetched driver that may be installed after its grants are decided.

use std::sync::Arc;

use iechor_registry::Progress;
use iechor_sandbox::contract::{CapabilityRequest, Descriptor};
use iechor_sandbox::{Binary, Driver, Grant, Source as Place, grant};

use crate::admission;
use crate::catalog::Catalog;
use crate::error::{CatalogError, GrantsFrom};
use crate::fetch::Fetched;
use crate::lock::{Installed, LockFile};
use crate::name;
use crate::publish::now;
use crate::source::Source;
use crate::view::Capability;

/// A driver that was fetched and verified to be a driver.
pub struct Candidate {
    driver: Arc<Driver>,
    descriptor: Descriptor,
    entry: Installed,
    binary: Binary,
}

impl Candidate {
    /// Fetches the driver of a source. Its name is `name`, or the name in its description.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be fetched, is not a driver, or may not be used.
    pub async fn fetch(
        catalog: &Catalog,
        source: Source,
        name: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Self, CatalogError> {
        let source = source.absolute()?;
        let fetched = catalog.fetch(&source, progress).await?;
        Self::new(catalog, &source, fetched, name).await
    }

    async fn new(
        catalog: &Catalog,
        source: &Source,
        fetched: Fetched,
        name: Option<&str>,
    ) -> Result<Self, CatalogError> {
        // Messages name it by its source until its name is known.
        let known_as = name.map_or_else(|| source.to_string(), str::to_owned);
        let place = Place::File(source.to_string().into());
        let policy = catalog.policy()?;
        let binary = Binary::new(fetched.bytes);
        let from = admission::fetched(&fetched.pinned);
        admission::admit(&policy, &known_as, binary.digest(), &from, None)?;
        let driver = catalog.component(known_as, place, binary.clone()).await?;
        let descriptor = driver.descriptor().await?.clone();
        let name = name.unwrap_or(&descriptor.name).to_owned();
        name::check(&name)?;
        // Refuse requests for capabilities that this program does not have before any question.
        driver.requests().await?;
        policy.check_requests(&name, &descriptor.capabilities)?;
        let entry = Installed {
            name,
            version: descriptor.version.clone(),
            source: source.to_string(),
            pinned: fetched.pinned.to_string(),
            digest: fetched.digest,
            installed_at: now(),
            others: Default::default(),
        };
        Ok(Self {
            driver,
            descriptor,
            entry,
            binary,
        })
    }

    /// Returns the entry of the driver for the lock file.
    pub fn entry(&self) -> &Installed {
        &self.entry
    }

    /// Returns the description of the driver.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Returns the requested capabilities that this program supports, in the order of the decisions.
    pub fn requests(&self) -> Vec<Capability> {
        let ordered = self.ordered_requests().into_iter();
        Capability::all(&ordered.cloned().collect::<Vec<_>>())
    }

    pub(crate) fn ordered_requests(&self) -> Vec<&CapabilityRequest> {
        let mut requests = grant::review_order(&self.descriptor.capabilities);
        requests.retain(|request| grant::find(&request.name).is_ok());
        requests
    }

    /// Checks that the grants contain everything that the driver needs, and nothing that it does not
    /// request.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::Untrusted`] with the missing grants, or [`CatalogError::NotRequested`].
    pub async fn check(&self, grants: &[Grant]) -> Result<(), CatalogError> {
        let requests = &self.descriptor.capabilities;
        admission::check_requested(&self.entry.name, requests, grants)?;
        admission::check_trusted(&self.driver, grants, GrantsFrom::Request).await?;
        Ok(())
    }

    /// Checks that no other driver has the same name.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::Exists`].
    pub fn check_free(&self, lock: &LockFile) -> Result<(), CatalogError> {
        match lock.driver(&self.entry.name) {
            Some(installed) => Err(CatalogError::Exists {
                name: installed.name.clone(),
                installed_from: installed.source.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Installs the driver with the given grants. `replaced` is the entry that it replaces.
    ///
    /// # Errors
    ///
    /// Returns an error if a grant is missing, or another process changed the entry first. In this case
    /// nothing is changed.
    pub async fn install(
        self,
        catalog: &Catalog,
        grants: &[Grant],
        replaced: Option<&Installed>,
    ) -> Result<Installed, CatalogError> {
        self.check(grants).await?;
        catalog.check_cancelled("installing the driver")?;
        let in_use = match replaced {
            Some(old) => catalog.storage().is_remembered(&old.digest)?,
            None => false,
        };
        let component = (&self.entry.digest, self.binary.bytes());
        catalog.edit(Some(component), |lock| {
            match replaced {
                None => self.check_free(lock)?,
                Some(old) if lock.driver(&old.name) == Some(old) => {}
                Some(old) => {
                    let name = old.name.clone();
                    return Err(CatalogError::Raced { name });
                }
            }
            lock.put(self.entry.clone());
            if let Some(old) = replaced {
                lock.forget(&old.digest, in_use);
            }
            lock.set_grants(&self.entry.digest, grants);
            Ok(())
        })?;
        Ok(self.entry)
    }
}
