//! What there is, whether it is as it should be, and how it changes.

use std::sync::Arc;

use iechor_registry::{Digest, Location, RegistryError, Source as DriverSource};
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::{Driver, EMBEDDED, Embedded, Grant, Grants};

use super::candidate::{self, Candidate, Progress};
use super::error::DriversError;
use super::load::{self, Origin};
use super::lock::{self, Installed, LockFile};
use super::reference::{DriverReference, Place};
use crate::error::BuilderError;
use crate::store::Store;
use crate::workspace::Workspace;

/// All drivers.
pub struct Listing {
    /// Those that are built in, then those that are installed.
    pub drivers: Vec<Listed>,
    /// What is wrong with the lock file beyond single drivers.
    pub fault: Option<BuilderError>,
}

/// A driver in a listing.
pub struct Listed {
    /// What `--driver` takes; nothing where it is broken and does not say.
    pub name: String,
    /// How it came to be here, where that is known.
    pub origin: Option<Origin>,
    /// Its version and digest, or what is wrong with it.
    pub state: Result<State, BuilderError>,
}

/// A driver that can be loaded.
pub struct State {
    /// Its own version.
    pub version: String,
    /// Digest of its component.
    pub digest: String,
    /// The names of the requests that it needs and that are not granted.
    pub missing: Vec<String>,
}

/// Lists all drivers. One that is broken, or that the policy makes useless, is among them, with
/// what is wrong.
pub async fn list(workspace: &Workspace) -> Listing {
    let (lock, fault) = match LockFile::read(&workspace.store) {
        Ok(lock) => {
            let fault = lock.broken_grants().map(BuilderError::from);
            (lock, fault)
        }
        Err(error) => (LockFile::default(), Some(error)),
    };
    let mut drivers = Vec::new();
    for embedded in EMBEDDED {
        drivers.push(Listed {
            name: embedded.name.to_owned(),
            origin: Some(Origin::BuiltIn),
            state: built_in(workspace, embedded.name).await,
        });
    }
    for entry in &lock.drivers {
        drivers.push(Listed {
            name: entry.name.clone(),
            origin: Some(Origin::Installed(Box::new(entry.clone()))),
            state: installed(workspace, &lock, entry).await,
        });
    }
    for (name, error) in lock.broken_drivers() {
        drivers.push(Listed {
            name: name.unwrap_or_default().to_owned(),
            origin: None,
            state: Err(error.into()),
        });
    }
    Listing { drivers, fault }
}

async fn built_in(workspace: &Workspace, name: &str) -> Result<State, BuilderError> {
    let loaded = super::load(workspace, name).await?;
    useful(workspace, name, &loaded.driver).await?;
    Ok(State {
        version: loaded.driver.descriptor().await?.version.clone(),
        digest: loaded.driver.digest().to_owned(),
        missing: Vec::new(),
    })
}

async fn installed(
    workspace: &Workspace,
    lock: &LockFile,
    entry: &Installed,
) -> Result<State, BuilderError> {
    let driver = usable(workspace, entry).await?;
    let descriptor = driver.descriptor().await?;
    let granted = lock.grants(entry.digest.as_str());
    let missing = Grants::missing(&descriptor.capabilities, &granted);
    Ok(State {
        version: descriptor.version.clone(),
        digest: driver.digest().to_owned(),
        missing: missing.into_iter().map(|(name, _)| name).collect(),
    })
}

/// Loads an installed driver that builders can be made with, once it has its grants.
async fn usable(workspace: &Workspace, entry: &Installed) -> Result<Arc<Driver>, BuilderError> {
    let name = &entry.name;
    if Embedded::find(name).is_some() {
        let name = name.clone();
        return Err(DriversError::Shadowed { name }.into());
    }
    let driver = load::admitted(workspace, entry).await?;
    useful(workspace, name, &driver).await?;
    Ok(driver)
}

/// Checks that the policy does not forbid what the driver needs.
async fn useful(workspace: &Workspace, name: &str, driver: &Driver) -> Result<(), BuilderError> {
    let requests = &driver.descriptor().await?.capabilities;
    Ok(workspace.policy()?.check_requests(name, requests)?)
}

/// Checks one installed driver against the lock file: its bytes, its contract, its version, and that
/// what was granted to it counts.
///
/// # Errors
///
/// What is wrong.
pub async fn verify(workspace: &Workspace, entry: &Installed) -> Result<(), BuilderError> {
    let driver = usable(workspace, entry).await?;
    let said = &driver.descriptor().await?.version;
    if *said != entry.version {
        return Err(BuilderError::Usage(format!(
            "driver {} says that it is version {said}; version {} was installed",
            entry.name, entry.version
        )));
    }
    let lock = LockFile::read(&workspace.store)?;
    match lock.useless_grants(entry.digest.as_str()).as_slice() {
        [] => Ok(()),
        [(grant, why), ..] => Err(DriversError::UselessGrant {
            name: entry.name.clone(),
            grant: (*grant).to_owned(),
            why: why.clone(),
        }
        .into()),
    }
}

/// Checks that the source still has what was installed; `false` where nobody was asked, since a
/// file may well have been built anew.
///
/// # Errors
///
/// That it has something else, or nothing; or that it cannot be reached, see
/// [`iechor_registry::RegistryError::is_unreachable`].
pub async fn verify_source(workspace: &Workspace, entry: &Installed) -> Result<bool, BuilderError> {
    let pinned: DriverSource = entry.pinned.parse()?;
    if matches!(pinned.location, Location::Path(_)) {
        return Ok(false);
    }
    let (found, _) = resolve(workspace, &pinned).await?;
    if found == entry.digest {
        return Ok(true);
    }
    Err(RegistryError::Mismatch {
        what: entry.pinned.clone(),
        expected: entry.digest.clone(),
        found,
    }
    .into())
}

async fn resolve(
    workspace: &Workspace,
    source: &DriverSource,
) -> Result<(Digest, DriverSource), BuilderError> {
    let request = candidate::request(workspace, source, &|_, _| {}).await?;
    tokio::select! {
        () = workspace.cancel.cancelled() => Err(BuilderError::Cancelled("asking the registry")),
        found = iechor_registry::resolve(source, &request) => {
            let found = found?;
            Ok((found.digest, found.pinned))
        }
    }
}

/// What the source of an installed driver has now.
pub enum Update {
    /// The same.
    Same,
    /// Something else.
    New(Box<Newer>),
}

/// A driver that can take the place of an installed one.
pub struct Newer {
    /// The driver.
    pub candidate: Candidate,
    /// What was granted to the old one and asked for by both: it stays.
    pub kept: Vec<Grant>,
    /// What the new one asks for and the old one did not, in the order in which to decide.
    pub asked: Vec<CapabilityRequest>,
}

/// Looks whether the source of an installed driver has another component now. One that is broken
/// is fetched again.
///
/// # Errors
///
/// Where the source cannot be read, or has no driver.
pub async fn look(
    workspace: &Workspace,
    entry: &Installed,
    progress: Progress<'_>,
) -> Result<Update, BuilderError> {
    let source: DriverSource = entry.source.parse()?;
    let old = load::admitted(workspace, entry).await;
    if old.is_ok() {
        // What is pinned cannot become anything else.
        if source.digest.is_some() {
            return Ok(Update::Same);
        }
        let (digest, pinned) = resolve(workspace, &source).await?;
        if digest == entry.digest && pinned.to_string() == entry.pinned {
            return Ok(Update::Same);
        }
    }
    let candidate = Candidate::fetch(workspace, source, Some(&entry.name), progress).await?;
    let granted = LockFile::read(&workspace.store)?.grants(entry.digest.as_str());
    let before = match old {
        _ if candidate.entry().digest == entry.digest => {
            candidate.descriptor().capabilities.clone()
        }
        Ok(driver) => requests(&driver).await,
        // What was granted to a driver that cannot be asked any more, nobody knows.
        Err(_) => Vec::new(),
    };
    let (known, asked): (Vec<_>, Vec<_>) = candidate
        .requests()
        .into_iter()
        .cloned()
        .partition(|request| before.iter().any(|old| covers(old, request)));
    let kept = granted
        .into_iter()
        .filter(|grant| known.iter().any(|request| request.name == grant.name))
        .filter(|grant| !asked.iter().any(|request| request.name == grant.name))
        .collect();
    Ok(Update::New(Box::new(Newer {
        candidate,
        kept,
        asked,
    })))
}

async fn requests(driver: &Arc<Driver>) -> Vec<CapabilityRequest> {
    match driver.descriptor().await {
        Ok(descriptor) => descriptor.capabilities.clone(),
        Err(_) => Vec::new(),
    }
}

/// Whether who decided about `old` has decided about `new`: it asks for the same or for less, and
/// needs it no more than before.
fn covers(old: &CapabilityRequest, new: &CapabilityRequest) -> bool {
    let narrower = old.scope.is_empty()
        || (!new.scope.is_empty() && new.scope.iter().all(|pattern| old.scope.contains(pattern)));
    old.name == new.name && narrower && (old.required || !new.required)
}

/// Removes an installed driver, with what was granted to it; one whose entry cannot be used, too.
/// Returns its name.
///
/// # Errors
///
/// Where builders use it and `force` is not set, or there is none.
pub fn remove(store: &Store, name: &str, force: bool) -> Result<String, BuilderError> {
    // Under the lock: a builder that is saved meanwhile waits, or is seen here.
    lock::edit(store, None, |lock| {
        let name = match lock.broken_driver(name) {
            Some(_) => name.to_owned(),
            None => managed(lock, name)?.name,
        };
        // Builders use the built-in driver of that name, where there is one.
        let builders = match Embedded::find(&name) {
            Some(_) => Vec::new(),
            None => users(store, &name)?
                .into_iter()
                .map(|user| user.builder)
                .collect(),
        };
        if !builders.is_empty() && !force {
            return Err(DriversError::InUse { name, builders }.into());
        }
        if let Some(entry) = lock.take(&name) {
            let in_use = remembered(store, &entry.digest)?;
            lock.forget(&entry.digest, in_use && !force);
        }
        Ok(name)
    })
}

/// The entry of an installed driver that is to be changed.
///
/// # Errors
///
/// That there is none, or that the driver is built in.
pub fn managed(lock: &LockFile, name: &str) -> Result<Installed, DriversError> {
    if lock.driver(name).is_none() && Embedded::find(name).is_some() {
        let name = name.to_owned();
        return Err(DriversError::NotManaged { name });
    }
    load::known(lock, name)
}

/// The entries of those installed drivers; of all where none is named.
///
/// # Errors
///
/// As [`managed`], for the first name.
pub fn chosen(lock: &LockFile, names: &[String]) -> Result<Vec<Installed>, DriversError> {
    if names.is_empty() {
        return Ok(lock.drivers.clone());
    }
    names.iter().map(|name| managed(lock, name)).collect()
}

/// What [`chosen`] leaves out where no name is given, since their entries cannot be used: their
/// names, empty where they say none, and the reason.
pub fn unusable(lock: &LockFile, names: &[String]) -> Vec<(String, DriversError)> {
    if !names.is_empty() {
        return Vec::new();
    }
    let broken = lock.broken_drivers();
    broken
        .map(|(name, error)| (name.unwrap_or_default().to_owned(), error))
        .collect()
}

/// A builder that works with an installed driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The builder.
    pub builder: String,
    /// The one component that it works with, where it was made with a name and a digest.
    pub pinned: Option<Digest>,
}

/// The builders whose driver is the installed one of that name. Files of builders that cannot be
/// read are left out: nobody can use them.
///
/// # Errors
///
/// Where the store cannot be listed.
pub fn users(store: &Store, name: &str) -> Result<Vec<User>, BuilderError> {
    let all = named_drivers(store)?.into_iter();
    Ok(all
        .filter(|(used, _)| used.eq_ignore_ascii_case(name))
        .map(|(_, user)| user)
        .collect())
}

/// The components that builders are pinned to: they stay, whatever was installed since.
pub(super) fn pinned(store: &Store) -> Result<Vec<Digest>, BuilderError> {
    let all = named_drivers(store)?.into_iter();
    Ok(all.filter_map(|(_, user)| user.pinned).collect())
}

/// The builders whose driver goes by a name, with that.
fn named_drivers(store: &Store) -> Result<Vec<(String, User)>, BuilderError> {
    let state = store.read()?;
    let stored = state.builders().filter_map(|(_, stored)| stored.ok());
    Ok(stored
        .filter_map(|stored| {
            let reference: DriverReference = stored.group.driver.parse().ok()?;
            let Place::Name(name) = reference.place else {
                return None;
            };
            let user = User {
                builder: stored.group.name.clone(),
                pinned: reference.digest,
            };
            Some((name, user))
        })
        .collect())
}

/// Whether a builder was made with the component of that digest.
pub(super) fn remembered(store: &Store, digest: &Digest) -> Result<bool, BuilderError> {
    Ok(store
        .read()?
        .builders()
        .filter_map(|(_, stored)| stored.ok())
        .any(|stored| stored.group.driver_digest.as_deref() == Some(digest.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(scope: &[&str], required: bool) -> CapabilityRequest {
        CapabilityRequest {
            name: "image.pull".into(),
            scope: scope.iter().map(|s| (*s).to_owned()).collect(),
            required,
            reason: "because".into(),
        }
    }

    #[test]
    fn who_asks_for_more_is_asked_about_again() {
        for (old, new) in [
            (request(&[], true), request(&[], true)),
            (request(&[], true), request(&["a"], false)),
            (request(&["a", "b"], true), request(&["b"], true)),
        ] {
            assert!(covers(&old, &new), "{old:?} {new:?}");
        }
        for (old, new) in [
            (request(&["a"], true), request(&[], true)),
            (request(&["a"], true), request(&["a", "b"], true)),
            (request(&["a"], false), request(&["a"], true)),
        ] {
            assert!(!covers(&old, &new), "{old:?} {new:?}");
        }
    }
}
