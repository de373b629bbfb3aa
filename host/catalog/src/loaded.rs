//! A driver that may be used, and what it may do.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use iechor_registry::Digest;
use iechor_sandbox::{Driver, Grant, Grants, Policy};

use crate::admission;
use crate::error::{CatalogError, GrantsFrom};
use crate::lock::{Installed, LockFile};

/// How a driver came to be here.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// With this program.
    BuiltIn,
    /// A file that the user names.
    File(PathBuf),
    /// It is installed, or about to be.
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

/// A driver that may be used, and what it may do.
#[derive(Clone)]
pub struct Loaded {
    /// The driver.
    pub driver: Arc<Driver>,
    /// How it came to be here.
    pub origin: Origin,
    /// What the user granted to its digest.
    pub granted: Vec<Grant>,
    /// Grants of its digest that have no effect, each with what is wrong with it.
    pub useless: Vec<(String, String)>,
    /// What the organisation allows, whatever is granted.
    pub policy: Arc<Policy>,
}

impl Loaded {
    /// Returns what it may do.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Untrusted`] where it lacks a grant that it needs.
    pub async fn grants(&self) -> Result<Grants, CatalogError> {
        let from = GrantsFrom::LockFile;
        let grants = admission::check_trusted(&self.driver, &self.granted, from).await?;
        Ok(grants.under(Arc::clone(&self.policy)))
    }

    /// Checks that it asks for all of these.
    ///
    /// # Errors
    ///
    /// [`CatalogError::NotRequested`], or what went wrong in the driver.
    pub async fn check_requested(&self, grants: &[Grant]) -> Result<(), CatalogError> {
        let requests = &self.driver.descriptor().await?.capabilities;
        admission::check_requested(self.driver.name(), requests, grants)
    }

    /// Returns what it was granted with `more`, once that is all that it needs.
    ///
    /// # Errors
    ///
    /// [`CatalogError::Untrusted`] where it needs more, and as [`Self::check_requested`].
    pub async fn granted_with(&self, more: &[Grant]) -> Result<Vec<Grant>, CatalogError> {
        self.check_requested(more).await?;
        let granted = [self.granted.as_slice(), more].concat();
        admission::check_trusted(&self.driver, &granted, GrantsFrom::Request).await?;
        Ok(granted)
    }

    /// Adds to what it may do, for as long as it is loaded, once that is all that it needs.
    ///
    /// # Errors
    ///
    /// As [`Self::granted_with`].
    pub async fn trust(&mut self, more: &[Grant]) -> Result<(), CatalogError> {
        self.granted = self.granted_with(more).await?;
        Ok(())
    }

    /// Returns everything that it asks for, as grants.
    ///
    /// # Errors
    ///
    /// What went wrong in the driver.
    pub async fn requested(&self) -> Result<Vec<Grant>, CatalogError> {
        let requests = &self.driver.descriptor().await?.capabilities;
        Ok(requests.iter().map(Grant::of).collect())
    }

    /// Returns its digest, where it does not come with the program and can change by itself.
    pub fn own_digest(&self) -> Option<&str> {
        match self.origin {
            Origin::BuiltIn => None,
            Origin::File(_) | Origin::Installed(_) => Some(self.driver.digest()),
        }
    }

    pub(crate) fn digest(&self) -> Result<Digest, CatalogError> {
        Ok(Digest::from_str(self.driver.digest())?)
    }

    /// Checks that it is still what is installed: grants of a driver that was removed or replaced
    /// would outlive it.
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
