//! Lists the available drivers.

use iechor_sandbox::{EMBEDDED, Embedded, Grants};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::loaded::Origin;
use crate::lock::{Installed, LockFile};
use crate::view::{DriverSummary, Status};

/// All drivers.
#[derive(Debug)]
pub struct Listing {
    /// The built-in drivers, then the installed drivers, then those with broken entries.
    pub drivers: Vec<DriverSummary>,
    /// Faults of drivers.
    pub faults: Vec<CatalogError>,
    /// A fault of the lock file that does not concern a single driver.
    pub lock_fault: Option<CatalogError>,
}

/// A driver that can be loaded.
struct State {
    version: String,
    digest: String,
    /// The names of required requests that are not granted.
    missing: Vec<String>,
}

impl Catalog {
    /// Lists all drivers, including drivers that are broken or that the policy makes unusable, with their
    /// faults.
    pub async fn list(&self) -> Listing {
        let (lock, lock_fault) = match self.storage().lock_file() {
            Ok(lock) => {
                let fault = lock.broken_grants();
                (lock, fault)
            }
            Err(error) => (LockFile::default(), Some(error)),
        };
        let mut listing = Listing {
            drivers: Vec::new(),
            faults: Vec::new(),
            lock_fault,
        };
        for embedded in EMBEDDED {
            let state = self.built_in(embedded.name).await;
            listing.add(embedded.name, Some(&Origin::BuiltIn), state);
        }
        for entry in &lock.drivers {
            let state = self.installed(&lock, entry).await;
            let origin = Origin::Installed(Box::new(entry.clone()));
            listing.add(&entry.name, Some(&origin), state);
        }
        for (name, error) in lock.broken_drivers() {
            listing.add(name.unwrap_or_default(), None, Err(error));
        }
        listing
    }

    async fn built_in(&self, name: &str) -> Result<State, CatalogError> {
        let loaded = self.load(name).await?;
        self.check_useful(name, &loaded.driver).await?;
        Ok(State {
            version: loaded.driver.descriptor().await?.version.clone(),
            digest: loaded.driver.digest().to_owned(),
            missing: Vec::new(),
        })
    }

    async fn installed(&self, lock: &LockFile, entry: &Installed) -> Result<State, CatalogError> {
        let driver = self.usable(entry).await?;
        let descriptor = driver.descriptor().await?;
        let granted = lock.grants(entry.digest.as_str());
        let missing = Grants::missing(&descriptor.capabilities, &granted);
        Ok(State {
            version: descriptor.version.clone(),
            digest: driver.digest().to_owned(),
            missing: missing.into_iter().map(|(name, _)| name).collect(),
        })
    }
}

impl Listing {
    fn add(&mut self, name: &str, origin: Option<&Origin>, state: Result<State, CatalogError>) {
        let aliases = Embedded::find(name).map_or(&[][..], |embedded| embedded.aliases);
        let entry = match origin {
            Some(Origin::Installed(entry)) => Some(entry),
            _ => None,
        };
        let mut driver = DriverSummary {
            name: name.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            source: origin.map(ToString::to_string),
            version: entry.map(|entry| entry.version.clone()),
            digest: entry.map(|entry| entry.digest.to_string()),
            pinned: entry.map(|entry| entry.pinned.clone()),
            installed_at: entry.map(|entry| entry.installed_at.clone()),
            missing: Vec::new(),
            status: Status::Broken,
            err: None,
        };
        match state {
            Ok(state) => {
                driver.status = match state.missing.is_empty() {
                    true => Status::Ok,
                    false => Status::Untrusted,
                };
                driver.version = Some(state.version);
                driver.digest = Some(state.digest);
                driver.missing = state.missing;
            }
            Err(error) => {
                driver.err = Some(error.to_string());
                self.faults.push(error);
            }
        }
        self.drivers.push(driver);
    }
}
