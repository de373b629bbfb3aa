//! Makes a driver of what the user named.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;

use iechor_registry::Digest;
use iechor_sandbox::{
    Binary, Driver, DriverError, Embedded, Grant, Grants, Policy, Sandbox, Source, limits,
};

use super::admission;
use super::error::DriversError;
use super::lock::{self, Installed, LockFile};
use super::reference::{DriverReference, Place};
use crate::error::BuilderError;
use crate::store::{Store, Transaction};
use crate::workspace::Workspace;

/// What is going on while a driver is loaded, which may mean that it is compiled for seconds.
pub(super) const LOADING: &str = "loading the driver";

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
pub struct Loaded {
    /// The driver.
    pub driver: Arc<Driver>,
    /// How it came to be here.
    pub origin: Origin,
    /// What the user granted to its digest.
    pub granted: Vec<Grant>,
    /// Grants of its digest that count for nothing, each with what is wrong with it.
    pub useless: Vec<(String, String)>,
    /// What the organisation allows, whatever is granted.
    pub policy: Arc<Policy>,
}

impl Loaded {
    /// What it may do.
    ///
    /// # Errors
    ///
    /// [`DriversError::Untrusted`] where it lacks a grant that it needs.
    pub async fn grants(&self) -> Result<Grants, BuilderError> {
        match self.driver.grants(&self.granted).await {
            Err(DriverError::Untrusted { driver, requests }) => {
                Err(DriversError::Untrusted { driver, requests }.into())
            }
            grants => Ok(grants?.under(Arc::clone(&self.policy))),
        }
    }

    /// Checks that it asks for all of these.
    ///
    /// # Errors
    ///
    /// [`DriversError::NotRequested`], or what went wrong in the driver.
    pub async fn check_requested(&self, grants: &[Grant]) -> Result<(), BuilderError> {
        let requests = &self.driver.descriptor().await?.capabilities;
        Ok(admission::check_requested(
            self.driver.name(),
            requests,
            grants,
        )?)
    }

    /// Adds to what it may do, for as long as it is loaded, once that is all that it needs.
    ///
    /// # Errors
    ///
    /// [`DriverError::Untrusted`] where it needs more, and as [`Self::check_requested`].
    pub async fn trust(&mut self, more: &[Grant]) -> Result<(), BuilderError> {
        self.check_requested(more).await?;
        let mut granted = self.granted.clone();
        granted.extend(more.iter().cloned());
        self.driver.grants(&granted).await?;
        self.granted = granted;
        Ok(())
    }

    /// Takes grants of its digest back, then adds others, to what the lock file has by then.
    ///
    /// # Errors
    ///
    /// [`DriversError::NotGranted`], or where it cannot be written; nothing is changed then.
    pub fn change_grants(
        &mut self,
        store: &Store,
        revoked: &[Grant],
        more: &[Grant],
    ) -> Result<(), BuilderError> {
        let digest = self.digest()?;
        (self.granted, self.useless) = lock::edit(store, None, |lock| {
            self.check_there(lock)?;
            for revoked in revoked {
                lock.revoke(&digest, revoked)?;
            }
            lock.grant(&digest, more);
            Ok((lock.grants(digest.as_str()), useless(lock, digest.as_str())))
        })?;
        Ok(())
    }

    /// Adds to what its digest was granted, under a lock that is held. Returns what it had not
    /// been granted before, for [`Self::take_back`].
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn give(
        &self,
        transaction: &Transaction,
        store: &Store,
        more: &[Grant],
    ) -> Result<Vec<Grant>, BuilderError> {
        if more.is_empty() || self.own_digest().is_none() {
            return Ok(Vec::new());
        }
        let digest = self.digest()?;
        lock::edit_in(transaction, store, None, |lock| {
            self.check_there(lock)?;
            Ok(lock.grant(&digest, more))
        })
    }

    /// Takes back what [`Self::give`] gave, as far as nobody else has done so.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn take_back(
        &self,
        transaction: &Transaction,
        store: &Store,
        given: &[Grant],
    ) -> Result<(), BuilderError> {
        if given.is_empty() {
            return Ok(());
        }
        let digest = self.digest()?;
        lock::edit_in(transaction, store, None, |lock| {
            lock.withdraw(&digest, |grant| given.contains(grant));
            Ok(())
        })
    }

    fn digest(&self) -> Result<Digest, DriversError> {
        Ok(Digest::from_str(self.driver.digest())?)
    }

    /// Grants of a driver that was removed or replaced meanwhile would outlive it.
    fn check_there(&self, lock: &LockFile) -> Result<(), DriversError> {
        match &self.origin {
            Origin::Installed(entry)
                if lock.driver(&entry.name).map(|now| &now.digest) != Some(&entry.digest) =>
            {
                let name = entry.name.clone();
                Err(DriversError::Raced { name })
            }
            _ => Ok(()),
        }
    }

    /// Its digest, where it does not come with the program and can change by itself.
    pub fn own_digest(&self) -> Option<&str> {
        match self.origin {
            Origin::BuiltIn => None,
            Origin::File(_) | Origin::Installed(_) => Some(self.driver.digest()),
        }
    }
}

/// Loads the driver that `text` names, see [`DriverReference`].
///
/// # Errors
///
/// That there is none, that it is not the one that was trusted or pinned, that the policy does not
/// allow it, or what keeps it from being loaded.
pub async fn load(workspace: &Workspace, text: &str) -> Result<Loaded, BuilderError> {
    let policy = workspace.policy()?;
    let store = &workspace.store;
    let DriverReference { place, digest } = text.parse()?;
    let admit = |name: &str, found: &str, source: &str| {
        admission::admit(&policy, name, found, source, digest.as_ref())
    };
    let (driver, origin, granted, useless) = match place {
        Place::File(path) => {
            let (binary, real) = Binary::read(&path)?;
            let (name, place) = (path.display().to_string(), Source::File(path.clone()));
            let origin = Origin::File(path);
            admit(&name, binary.digest(), &admission::file(&real))?;
            let lock = LockFile::read(store)?;
            let granted = lock.grants(binary.digest());
            let useless = useless(&lock, binary.digest());
            let loading = Sandbox::component(name, place, binary);
            let driver = workspace.unless_cancelled(LOADING, loading).await?;
            (driver, origin, granted, useless)
        }
        Place::Name(name) => match Sandbox::embedded(&name)? {
            Some(driver) => {
                let source = admission::built_in(driver.name());
                admit(driver.name(), driver.digest(), &source)?;
                (driver, Origin::BuiltIn, Vec::new(), Vec::new())
            }
            None => {
                let lock = LockFile::read(store)?;
                let mut entry = known(&lock, &name)?;
                // Who is pinned works with what that was, whatever was installed since.
                if let Some(pinned) = &digest
                    && lock::component_path(store, pinned).is_file()
                {
                    entry.digest = pinned.clone();
                }
                let granted = lock.grants(entry.digest.as_str());
                let useless = useless(&lock, entry.digest.as_str());
                let origin = Origin::Installed(Box::new(entry.clone()));
                let source = admission::fetched(&entry.pinned.parse()?);
                admit(&entry.name, entry.digest.as_str(), &source)?;
                let loading = installed(store, &entry);
                let driver = workspace.unless_cancelled(LOADING, loading).await?;
                (driver, origin, granted, useless)
            }
        },
    };
    Ok(Loaded {
        driver,
        origin,
        granted,
        useless,
        policy,
    })
}

fn useless(lock: &LockFile, digest: &str) -> Vec<(String, String)> {
    let useless = lock.useless_grants(digest).into_iter();
    useless.map(|(text, why)| (text.to_owned(), why)).collect()
}

/// The entry of an installed driver.
///
/// # Errors
///
/// That there is none of that name, and which there are; that its entry cannot be used.
pub fn known(lock: &LockFile, name: &str) -> Result<Installed, DriversError> {
    if let Some(entry) = lock.driver(name) {
        return Ok(entry.clone());
    }
    Err(lock
        .broken_driver(name)
        .unwrap_or_else(|| DriversError::Unknown {
            name: name.to_owned(),
            built_in: Embedded::names().collect(),
            installed: lock.drivers.iter().map(|d| d.name.clone()).collect(),
        }))
}

/// Loads an installed driver that the policy allows.
///
/// # Errors
///
/// What keeps it from being loaded.
pub(super) async fn admitted(
    workspace: &Workspace,
    entry: &Installed,
) -> Result<Arc<Driver>, BuilderError> {
    let policy = workspace.policy()?;
    let source = admission::fetched(&entry.pinned.parse()?);
    admission::admit(&policy, &entry.name, entry.digest.as_str(), &source, None)?;
    let loading = installed(&workspace.store, entry);
    workspace.unless_cancelled(LOADING, loading).await
}

/// Loads an installed driver; whoever uses it has it admitted.
async fn installed(store: &Store, entry: &Installed) -> Result<Arc<Driver>, BuilderError> {
    let path = lock::component_path(store, &entry.digest);
    let binary = match iechor_files::read(&path, limits::COMPONENT_BYTES) {
        Ok(bytes) => Binary::new(bytes),
        Err(error) => {
            return Err(DriversError::Gone {
                name: entry.name.clone(),
                path,
                reason: error.to_string(),
            }
            .into());
        }
    };
    // Before anything of it is compiled.
    if binary.digest() != entry.digest.as_str() {
        return Err(DriversError::Changed {
            name: entry.name.clone(),
            expected: entry.digest.clone(),
            found: binary.digest().to_owned(),
        }
        .into());
    }
    Ok(Sandbox::component(entry.name.clone(), Source::File(path), binary).await?)
}
