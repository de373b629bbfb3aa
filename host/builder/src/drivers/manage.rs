//! What there is, whether it is as it should be, and how it changes.

use std::sync::Arc;

use iechor_registry::{Digest, Location, RegistryError, Source as DriverSource};
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::{Driver, EMBEDDED, Grant, Grants, Sandbox};

use super::Loaded;
use super::candidate::{self, Candidate, Progress};
use super::error::DriversError;
use super::load::{self, Origin};
use super::lock::{self, Installed, LockFile};
use super::reference::{DriverReference, Place};
use crate::error::BuilderError;
use crate::store::Store;
use crate::workspace::Workspace;

/// A driver in a listing.
pub struct Listed {
    /// What `--driver` takes.
    pub name: String,
    /// How it came to be here.
    pub origin: Origin,
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

/// All drivers: those that are built in, then those that are installed. One that is broken is
/// among them, with what is wrong.
///
/// # Errors
///
/// Where the lock file cannot be used.
pub async fn list(workspace: &Workspace) -> Result<Vec<Listed>, BuilderError> {
    let lock = LockFile::read(&workspace.store)?;
    let mut listed = Vec::new();
    let names = EMBEDDED.iter().map(|driver| driver.name.to_owned());
    for name in names.chain(lock.drivers.iter().map(|driver| driver.name.clone())) {
        let origin = match lock.driver(&name) {
            Some(entry) => Origin::Installed(Box::new(entry.clone())),
            None => Origin::BuiltIn,
        };
        let state = async {
            let loaded = super::load(workspace, &name).await?;
            state(&loaded).await
        };
        listed.push(Listed {
            state: state.await,
            name,
            origin,
        });
    }
    Ok(listed)
}

async fn state(loaded: &Loaded) -> Result<State, BuilderError> {
    let descriptor = loaded.driver.descriptor().await?;
    let missing = match loaded.origin {
        Origin::BuiltIn => Vec::new(),
        Origin::File(_) | Origin::Installed(_) => {
            Grants::missing(&descriptor.capabilities, &loaded.granted)
        }
    };
    Ok(State {
        version: descriptor.version.clone(),
        digest: loaded.driver.digest().to_owned(),
        missing: missing.into_iter().map(|(name, _)| name).collect(),
    })
}

/// Checks one installed driver against the lock file: its bytes, its contract, its version.
///
/// # Errors
///
/// What is wrong.
pub async fn verify(workspace: &Workspace, entry: &Installed) -> Result<(), BuilderError> {
    let driver = load::admitted(workspace, entry).await?;
    let said = &driver.descriptor().await?.version;
    if *said != entry.version {
        return Err(BuilderError::Usage(format!(
            "driver {} says that it is version {said}; version {} was installed",
            entry.name, entry.version
        )));
    }
    Ok(())
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

/// Removes an installed driver, with what was granted to it.
///
/// # Errors
///
/// Where builders use it and `force` is not set, or there is none.
pub fn remove(store: &Store, name: &str, force: bool) -> Result<Installed, BuilderError> {
    // Under the lock: a builder that is saved meanwhile waits, or is seen here.
    lock::edit(store, None, |lock| {
        let entry = managed(lock, name)?;
        let builders = users(store, &entry.name)?;
        if !builders.is_empty() && !force {
            let name = entry.name;
            return Err(DriversError::InUse { name, builders }.into());
        }
        let in_use = remembered(store, &entry.digest)?;
        lock.take(&entry.name);
        lock.forget(&entry.digest, in_use && !force);
        Ok(entry)
    })
}

/// The entry of an installed driver that is to be changed.
///
/// # Errors
///
/// That there is none, or that the driver is built in.
pub fn managed(lock: &LockFile, name: &str) -> Result<Installed, DriversError> {
    if lock.driver(name).is_none() && matches!(Sandbox::embedded(name), Ok(Some(_))) {
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

/// The builders whose driver is the installed one of that name. Files of builders that cannot be
/// read are left out: nobody can use them.
///
/// # Errors
///
/// Where the store cannot be listed.
pub fn users(store: &Store, name: &str) -> Result<Vec<String>, BuilderError> {
    let state = store.read()?;
    let uses = |driver: &str| {
        driver
            .parse::<DriverReference>()
            .is_ok_and(|reference| match reference.place {
                Place::Name(used) => used.eq_ignore_ascii_case(name),
                Place::File(_) => false,
            })
    };
    Ok(state
        .builders()
        .filter_map(|(_, stored)| stored.ok())
        .filter(|stored| uses(&stored.group.driver))
        .map(|stored| stored.group.name.clone())
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
