//! A driver that may be used, and its grants.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use iechor_registry::Digest;
use iechor_sandbox::{Driver, Grant, Grants, Policy};

use crate::admission;
use crate::error::{CatalogError, GrantsFrom};
use crate::lock::{Installed, LockFile};

/// The origin of a driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// Part of this program.
    BuiltIn,
    /// A file that the user names.
    File(PathBuf),
    /// An installed driver, or one that is being installed.
    Installed(Box<Installed>),
}

/// The source, as the user gave it.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("built in"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Installed(entry) => formatter.write_str(&entry.source),
        }
    }
}

/// A driver that may be used, and its grants.
#[derive(Clone)]
pub struct Loaded {
    /// The driver.
    pub driver: Arc<Driver>,
    /// The origin of the driver.
    pub origin: Origin,
    /// The grants of the user for the driver's digest.
    pub granted: Vec<Grant>,
    /// Grants of the digest that have no effect, each with its fault.
    pub useless: Vec<(String, String)>,
    /// The organisation's policy, which limits all grants.
    pub policy: Arc<Policy>,
}

impl Loaded {
    /// Returns the grants of the driver, as limited by the policy.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::Untrusted`] if a required grant is missing.
    pub async fn grants(&self) -> Result<Grants, CatalogError> {
        let from = GrantsFrom::LockFile;
        let grants = admission::check_trusted(&self.driver, &self.granted, from).await?;
        Ok(grants.under(Arc::clone(&self.policy)))
    }

    /// Checks that the driver requests all of the given grants.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::NotRequested`], or the error of the driver.
    pub async fn check_requested(&self, grants: &[Grant]) -> Result<(), CatalogError> {
        let requests = &self.driver.descriptor().await?.capabilities;
        admission::check_requested(self.driver.name(), requests, grants)
    }

    /// Returns the grants of the driver together with `more`, if they contain all required grants.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::Untrusted`] if a grant is missing, and the errors of
    /// [`Self::check_requested`].
    pub async fn granted_with(&self, more: &[Grant]) -> Result<Vec<Grant>, CatalogError> {
        self.check_requested(more).await?;
        let granted = [self.granted.as_slice(), more].concat();
        admission::check_trusted(&self.driver, &granted, GrantsFrom::Request).await?;
        Ok(granted)
    }

    /// Adds grants for as long as the driver is loaded, if it then has all required grants.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::granted_with`].
    pub async fn trust(&mut self, more: &[Grant]) -> Result<(), CatalogError> {
        self.granted = self.granted_with(more).await?;
        Ok(())
    }

    /// Returns all requests of the driver, as grants.
    ///
    /// # Errors
    ///
    /// Returns the error of the driver.
    pub async fn requested(&self) -> Result<Vec<Grant>, CatalogError> {
        let requests = &self.driver.descriptor().await?.capabilities;
        Ok(requests.iter().map(Grant::of).collect())
    }

    /// Returns the digest of a driver that is not built in.
    pub fn own_digest(&self) -> Option<&str> {
        match self.origin {
            Origin::BuiltIn => None,
            Origin::File(_) | Origin::Installed(_) => Some(self.driver.digest()),
        }
    }

    pub(crate) fn digest(&self) -> Result<Digest, CatalogError> {
        Ok(Digest::from_str(self.driver.digest())?)
    }

    /// Checks that the driver is still installed. Otherwise its grants would outlive it.
    pub(crate) fn check_there(&self, lock: &LockFile) -> Result<(), CatalogError> {
        match &self.origin {
            Origin::Installed(entry)
                if lock.driver(&entry.name).map(|now| &now.digest) != Some(&entry.digest) =>
            {
                let name = entry.name.clone();
                Err(CatalogError::Raced { name })
            }
            _ => Ok(()),
        }
    }
}
