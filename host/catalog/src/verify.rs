//! Verifies installed drivers: their bytes, their contract and their sources.

use std::sync::Arc;

use iechor_registry::RegistryError;
use iechor_sandbox::{Driver, Embedded};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::lock::Installed;
use crate::source::{Location, Source};
use crate::view::Verification;

/// The result for a source that was not checked.
const NOT_ASKED: &str = "not checked";

/// The result of the verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// The results of the drivers.
    pub drivers: Vec<Verification>,
    /// All faults.
    pub faults: Vec<CatalogError>,
}

impl Verified {
    /// Returns how many drivers have a fault.
    pub fn faulty(&self) -> usize {
        let faulty = self.drivers.iter();
        faulty
            .filter(|driver| driver.component_err.is_some() || driver.source_err.is_some())
            .count()
    }

    fn err<T>(&mut self, result: Result<T, CatalogError>) -> Result<T, String> {
        result.map_err(|error| {
            let text = error.to_string();
            self.faults.push(error);
            text
        })
    }
}

impl Catalog {
    /// Verifies the installed drivers with the given names, or all if no name is given. Checks their sources
    /// unless `offline` is set.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock file cannot be used, or a driver does not exist. Faults of drivers are
    /// in the result.
    pub async fn verify(&self, names: &[String], offline: bool) -> Result<Verified, CatalogError> {
        let lock = self.storage().lock_file()?;
        let entries = lock.chosen(names)?;
        let mut verified = Verified::default();
        for entry in &entries {
            let component = self.verify_component(entry).await;
            let component = verified.err(component);
            let source = match offline {
                true => Ok(NOT_ASKED.to_owned()),
                false => {
                    let source = self.verify_source(entry).await;
                    verified.err(source)
                }
            };
            verified.drivers.push(Verification {
                name: entry.name.clone(),
                digest: Some(entry.digest.to_string()),
                component_err: component.err(),
                source_err: source.clone().err(),
                source: source.ok(),
            });
        }
        for (name, error) in lock.unusable(names) {
            let component = verified.err::<()>(Err(error));
            verified.drivers.push(Verification {
                name,
                digest: None,
                component_err: component.err(),
                source: Some(NOT_ASKED.to_owned()),
                source_err: None,
            });
        }
        Ok(verified)
    }

    /// Loads an installed driver, and checks that builders can use it once it has its grants.
    pub(crate) async fn usable(&self, entry: &Installed) -> Result<Arc<Driver>, CatalogError> {
        let name = &entry.name;
        if Embedded::find(name).is_some() {
            let name = name.clone();
            return Err(CatalogError::Shadowed { name });
        }
        let driver = self.load_entry(entry).await?;
        self.check_useful(name, &driver).await?;
        Ok(driver)
    }

    /// Checks that the policy does not forbid a capability that the driver requires.
    pub(crate) async fn check_useful(
        &self,
        name: &str,
        driver: &Driver,
    ) -> Result<(), CatalogError> {
        let requests = &driver.descriptor().await?.capabilities;
        Ok(self.policy()?.check_requests(name, requests)?)
    }

    /// Verifies one installed driver against the lock file: its bytes, its contract, its version and that
    /// all its grants have an effect.
    async fn verify_component(&self, entry: &Installed) -> Result<(), CatalogError> {
        let driver = self.usable(entry).await?;
        let said = &driver.descriptor().await?.version;
        if *said != entry.version {
            return Err(CatalogError::OtherVersion {
                name: entry.name.clone(),
                said: said.clone(),
                installed: entry.version.clone(),
            });
        }
        let lock = self.storage().lock_file()?;
        match lock.useless_grants(entry.digest.as_str()).as_slice() {
            [] => Ok(()),
            [(grant, why), ..] => Err(CatalogError::UselessGrant {
                name: entry.name.clone(),
                grant: (*grant).to_owned(),
                why: why.clone(),
            }),
        }
    }

    /// Checks that the source still has the installed component, and describes the result. Files are not
    /// checked, because they may have been rebuilt.
    async fn verify_source(&self, entry: &Installed) -> Result<String, CatalogError> {
        let pinned: Source = entry.pinned.parse()?;
        if matches!(pinned.location, Location::Path(_)) {
            return Ok(NOT_ASKED.into());
        }
        let found = match self.resolve(&pinned).await {
            Ok(found) => found.digest,
            Err(error) if error.is_unreachable() => return Ok(format!("not checked: {error}")),
            Err(error) => return Err(error),
        };
        if found == entry.digest {
            return Ok("ok".into());
        }
        Err(RegistryError::Mismatch {
            what: entry.pinned.clone(),
            expected: entry.digest.clone(),
            found,
        }
        .into())
    }
}
