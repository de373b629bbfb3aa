//! The lock file: which drivers are installed, from where, and what each component may do.
//!
//! | path in the store | content |
//! |---|---|
//! | `drivers/drivers.lock` | a [`LockFile`], in TOML |
//! | `drivers/components/<digits of the digest>.wasm` | the components |
//!
//! It is written under the store's lock and replaced in one step. A component is written before
//! the lock file names it, and removed after it no longer does, so that whoever is killed between
//! leaves a file too many at most, which the next writer removes.

#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use iechor_registry::Digest;
use iechor_sandbox::Grant;
use serde::{Deserialize, Serialize};

use super::error::DriversError;
use super::manage;
use crate::error::BuilderError;
use crate::store::{BrokenFile, Store, StoreError, Transaction};

const DIRECTORY: &str = "drivers";
const FILE: &str = "drivers.lock";
const COMPONENTS: &str = "components";
/// The largest lock file that is read, in bytes: some ten thousand drivers.
const LARGEST: u64 = 8 << 20;

/// The content of the lock file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LockFile {
    /// The installed drivers, sorted by name.
    pub drivers: Vec<Installed>,
    trust: Vec<Trust>,
    broken: Vec<Broken>,
    others: toml::Table,
}

/// An installed driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    /// What `--driver` takes.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The source as it was given; a path is absolute.
    pub source: String,
    /// What that led to: a file, or a manifest by its digest.
    pub pinned: String,
    /// Digest of the component.
    pub digest: Digest,
    /// When, in RFC 3339.
    pub installed_at: String,
    /// What another program wrote beside that; it stays.
    #[serde(flatten)]
    pub(super) others: toml::Table,
}

/// What was granted to a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Trust {
    digest: Digest,
    /// As on the command line. Those that this program does not know grant nothing, and stay.
    grants: Vec<String>,
    #[serde(flatten)]
    others: toml::Table,
}

/// An entry that cannot be used. It stays as it is.
#[derive(Debug, Clone, PartialEq)]
struct Broken {
    list: text::List,
    reason: String,
    entry: toml::Value,
}

impl Broken {
    fn name(&self) -> Option<&str> {
        match self.list {
            text::List::Drivers => self.entry.get("name")?.as_str(),
            text::List::Trust => None,
        }
    }
}

impl LockFile {
    /// What is installed; nothing where there is no file. An entry that cannot be used is among
    /// the [broken](Self::broken_drivers) ones, and spares the others.
    ///
    /// # Errors
    ///
    /// Where the file cannot be used at all.
    pub fn read(store: &Store) -> Result<Self, BuilderError> {
        let path = path(store);
        match iechor_files::read_to_string(&path, LARGEST) {
            Ok(text) => text::parse(&path, &text),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => {
                let reason = error.to_string();
                Err(BrokenFile { path, reason }.into())
            }
        }
    }

    /// The installed driver of that name.
    pub fn driver(&self, name: &str) -> Option<&Installed> {
        self.drivers
            .iter()
            .find(|driver| driver.name.eq_ignore_ascii_case(name))
    }

    /// The drivers whose entries cannot be used: their names, where they say one, and the reason.
    pub fn broken_drivers(&self) -> impl Iterator<Item = (Option<&str>, DriversError)> {
        let broken = self.broken.iter();
        broken
            .filter(|broken| broken.list == text::List::Drivers)
            .map(|broken| {
                let reason = broken.reason.clone();
                let error = match broken.name() {
                    Some(name) => DriversError::BrokenEntry {
                        name: name.to_owned(),
                        reason,
                    },
                    None => DriversError::NamelessEntry { reason },
                };
                (broken.name(), error)
            })
    }

    /// Why the entry of the driver of that name cannot be used.
    pub fn broken_driver(&self, name: &str) -> Option<DriversError> {
        self.broken_drivers()
            .find(|(broken, _)| broken.is_some_and(|broken| broken.eq_ignore_ascii_case(name)))
            .map(|(_, error)| error)
    }

    /// Why grants cannot be used; they grant nothing.
    pub fn broken_grants(&self) -> Option<DriversError> {
        let broken = self.broken.iter();
        let mut broken = broken.filter(|broken| broken.list == text::List::Trust);
        broken.next().map(|broken| DriversError::BrokenGrants {
            reason: broken.reason.clone(),
        })
    }

    /// What was granted to the component of that digest.
    pub fn grants(&self, digest: &str) -> Vec<Grant> {
        self.trust
            .iter()
            .filter(|trust| trust.digest.as_str() == digest)
            .flat_map(|trust| &trust.grants)
            .filter_map(|text| Grant::parse(text).ok())
            .collect()
    }

    /// The grants of a component that count for nothing, since their patterns are none: as they are
    /// written, with what is wrong. They are never taken for more than they say.
    pub fn useless_grants(&self, digest: &str) -> Vec<(&str, String)> {
        self.trust
            .iter()
            .filter(|trust| trust.digest.as_str() == digest)
            .flat_map(|trust| &trust.grants)
            .filter(|text| Grant::parse_any(text).is_ok())
            .filter_map(|text| Some((text.as_str(), Grant::parse(text).err()?)))
            .collect()
    }

    /// Grants to a component exactly that, and nothing else that this program knows.
    pub fn set_grants(&mut self, digest: &Digest, grants: &[Grant]) {
        self.withdraw(digest, |_| true);
        self.grant(digest, grants);
    }

    /// Adds to what a component was granted. Returns what it had not been granted before, each
    /// with one pattern at most.
    pub fn grant(&mut self, digest: &Digest, more: &[Grant]) -> Vec<Grant> {
        let mut new = Vec::new();
        for grant in more.iter().flat_map(one_by_one) {
            let text = grant.to_string();
            let mut trusts = self.trust.iter_mut().filter(|t| t.digest == *digest);
            match trusts.next() {
                Some(trust) if trust.grants.contains(&text) => continue,
                Some(trust) => trust.grants.push(text),
                None => self.trust.push(Trust {
                    digest: digest.clone(),
                    grants: vec![text],
                    others: toml::Table::new(),
                }),
            }
            new.push(grant);
        }
        new
    }

    /// Takes from a component the grant of one pattern, or all of a name where `revoked` has no
    /// pattern.
    ///
    /// # Errors
    ///
    /// [`DriversError::NotGranted`] where there is nothing to take.
    pub fn revoke(&mut self, digest: &Digest, revoked: &Grant) -> Result<(), DriversError> {
        let taken = self.withdraw(digest, |grant| {
            grant.name == revoked.name && (revoked.scope.is_empty() || grant.scope == revoked.scope)
        });
        if taken {
            return Ok(());
        }
        let granted = self.grants(digest.as_str());
        Err(DriversError::NotGranted {
            revoked: revoked.to_string(),
            granted: granted.iter().map(ToString::to_string).collect(),
        })
    }

    /// Takes away those of the grants that this program knows; whether there were any.
    pub(super) fn withdraw(&mut self, digest: &Digest, which: impl Fn(&Grant) -> bool) -> bool {
        let mut any = false;
        for trust in self.trust.iter_mut().filter(|t| t.digest == *digest) {
            trust.grants.retain(|text| {
                // What counts for nothing is taken away as well.
                let taken = Grant::parse_any(text).is_ok_and(|grant| which(&grant));
                any |= taken;
                !taken
            });
        }
        self.trust
            .retain(|trust| !(trust.grants.is_empty() && trust.others.is_empty()));
        any
    }

    /// Installs a driver, in the place of one of its name.
    pub fn put(&mut self, driver: Installed) {
        self.take(&driver.name);
        self.drivers.push(driver);
        self.drivers.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Takes a driver out, and entries of its name that cannot be used.
    pub fn take(&mut self, name: &str) -> Option<Installed> {
        let is_it = |found: &str| found.eq_ignore_ascii_case(name);
        self.broken
            .retain(|broken| !broken.name().is_some_and(is_it));
        let at = self.drivers.iter().position(|d| is_it(&d.name))?;
        Some(self.drivers.remove(at))
    }

    /// Forgets the grants of a component that is neither installed nor in use.
    pub fn forget(&mut self, digest: &Digest, in_use: bool) {
        if !in_use && !self.drivers.iter().any(|driver| driver.digest == *digest) {
            self.trust.retain(|trust| trust.digest != *digest);
        }
    }
}

/// The same grants with one pattern each, as they are written.
fn one_by_one(grant: &Grant) -> Vec<Grant> {
    let with = |scope| Grant {
        name: grant.name.clone(),
        scope,
    };
    match grant.scope.as_slice() {
        [] => vec![with(Vec::new())],
        patterns => patterns.iter().map(|p| with(vec![p.clone()])).collect(),
    }
}

fn path(store: &Store) -> PathBuf {
    store.directory().join(DIRECTORY).join(FILE)
}

fn components() -> PathBuf {
    Path::new(DIRECTORY).join(COMPONENTS)
}

fn file_name(digest: &Digest) -> String {
    format!("{}.wasm", digest.digits())
}

/// Where the component of an installed driver is.
pub fn component_path(store: &Store, digest: &Digest) -> PathBuf {
    store.directory().join(components()).join(file_name(digest))
}

/// Changes the lock file, and adds a component. Nothing changes where `change` fails.
///
/// # Errors
///
/// Where the file cannot be used or written, and what `change` returns.
pub fn edit<T>(
    store: &Store,
    component: Option<(&Digest, &[u8])>,
    change: impl FnOnce(&mut LockFile) -> Result<T, BuilderError>,
) -> Result<T, BuilderError> {
    edit_in(&store.lock()?, store, component, change)
}

/// As [`edit`], under a lock that is held already.
///
/// # Errors
///
/// The same.
pub fn edit_in<T>(
    transaction: &Transaction,
    store: &Store,
    component: Option<(&Digest, &[u8])>,
    change: impl FnOnce(&mut LockFile) -> Result<T, BuilderError>,
) -> Result<T, BuilderError> {
    let before = LockFile::read(store)?;
    let mut lock = before.clone();
    let value = change(&mut lock)?;
    if let Some((digest, bytes)) = component {
        transaction.write_in(&components(), &file_name(digest), bytes)?;
    }
    if lock != before {
        let text = text::render(&lock).map_err(|error| StoreError::File {
            action: "write",
            path: path(store),
            source: std::io::Error::other(error),
        })?;
        transaction.write_in(Path::new(DIRECTORY), FILE, text.as_bytes())?;
    }
    // An entry that cannot be used may name any of the components.
    if lock.broken.is_empty() {
        let pinned = manage::pinned(store)?;
        let installed = lock.drivers.iter().map(|driver| &driver.digest);
        let named: Vec<_> = installed.chain(&pinned).map(file_name).collect();
        transaction.keep_only(&components(), &named)?;
    }
    Ok(value)
}
