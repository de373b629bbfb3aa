//! The lock file: the installed drivers, their sources, and the grants of each component.
//!
//! This module defines the content; the module `storage` reads and writes the file.

mod text;

use iechor_registry::Digest;
use iechor_sandbox::{Embedded, Grant};
use serde::{Deserialize, Serialize};

use crate::error::CatalogError;

pub(crate) use text::{parse, render};

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
    /// The name by which builders refer to the driver.
    pub name: String,
    /// The version of the driver.
    pub version: String,
    /// The source as the user gave it, with an absolute path.
    pub source: String,
    /// The target of the source: a file, or a manifest with its digest.
    pub pinned: String,
    /// Digest of the component.
    pub digest: Digest,
    /// Time of the installation, in RFC 3339.
    pub installed_at: String,
    /// Unknown fields. They are preserved.
    #[serde(flatten)]
    pub(crate) others: toml::Table,
}

/// The grants of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Trust {
    digest: Digest,
    /// Texts that [`Grant::parse`] parses. Unknown grants have no effect, and are preserved.
    grants: Vec<String>,
    #[serde(flatten)]
    others: toml::Table,
}

/// An entry that cannot be used. It is preserved.
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
    /// Returns the installed driver with the given name.
    pub fn driver(&self, name: &str) -> Option<&Installed> {
        self.drivers
            .iter()
            .find(|driver| driver.name.eq_ignore_ascii_case(name))
    }

    /// Returns whether all entries can be used.
    pub(crate) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// Returns the drivers whose entries cannot be used: the name, if it is readable, and the reason.
    pub fn broken_drivers(&self) -> impl Iterator<Item = (Option<&str>, CatalogError)> {
        let broken = self.broken.iter();
        broken
            .filter(|broken| broken.list == text::List::Drivers)
            .map(|broken| {
                let reason = broken.reason.clone();
                let error = match broken.name() {
                    Some(name) => CatalogError::BrokenEntry {
                        name: name.to_owned(),
                        reason,
                    },
                    None => CatalogError::NamelessEntry { reason },
                };
                (broken.name(), error)
            })
    }

    /// Returns the reason why the entry of a driver cannot be used.
    pub fn broken_driver(&self, name: &str) -> Option<CatalogError> {
        self.broken_drivers()
            .find(|(broken, _)| broken.is_some_and(|broken| broken.eq_ignore_ascii_case(name)))
            .map(|(_, error)| error)
    }

    /// Returns the entry of an installed driver.
    ///
    /// # Errors
    ///
    /// Returns an error with the known names if there is no such driver, or an error if its entry cannot
    /// be used.
    pub fn known(&self, name: &str) -> Result<Installed, CatalogError> {
        if let Some(entry) = self.driver(name) {
            return Ok(entry.clone());
        }
        Err(self
            .broken_driver(name)
            .unwrap_or_else(|| CatalogError::Unknown {
                name: name.to_owned(),
                built_in: Embedded::names().collect(),
                installed: self.drivers.iter().map(|d| d.name.clone()).collect(),
            }))
    }

    /// Returns the entry of an installed driver that the caller will change.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::known`], or an error if the driver is built in.
    pub fn managed(&self, name: &str) -> Result<Installed, CatalogError> {
        if self.driver(name).is_none() && Embedded::find(name).is_some() {
            let name = name.to_owned();
            return Err(CatalogError::NotManaged { name });
        }
        self.known(name)
    }

    /// Returns the entries of the installed drivers with the given names, or of all if no name is given.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::managed`], for the first faulty name.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<Installed>, CatalogError> {
        if names.is_empty() {
            return Ok(self.drivers.clone());
        }
        names.iter().map(|name| self.managed(name)).collect()
    }

    /// Returns the names of the drivers that [`Self::chosen`] omits if no name is given, because their
    /// entries cannot be used, with the reasons.
    pub fn unusable(&self, names: &[String]) -> Vec<(String, CatalogError)> {
        if !names.is_empty() {
            return Vec::new();
        }
        self.broken_drivers()
            .map(|(name, error)| (name.unwrap_or_default().to_owned(), error))
            .collect()
    }

    /// Returns the reason why an entry with grants cannot be used. Such an entry grants nothing.
    pub fn broken_grants(&self) -> Option<CatalogError> {
        let broken = self.broken.iter();
        let mut broken = broken.filter(|broken| broken.list == text::List::Trust);
        broken.next().map(|broken| CatalogError::BrokenGrants {
            reason: broken.reason.clone(),
        })
    }

    /// Returns the grants of the component with the given digest.
    pub fn grants(&self, digest: &str) -> Vec<Grant> {
        self.trust
            .iter()
            .filter(|trust| trust.digest.as_str() == digest)
            .flat_map(|trust| &trust.grants)
            .filter_map(|text| Grant::parse(text).ok())
            .collect()
    }

    /// Returns the grants of a component that have no effect because their patterns are invalid: the text
    /// of each grant, with its fault.
    pub fn useless_grants(&self, digest: &str) -> Vec<(&str, String)> {
        self.trust
            .iter()
            .filter(|trust| trust.digest.as_str() == digest)
            .flat_map(|trust| &trust.grants)
            .filter(|text| Grant::parse_any(text).is_ok())
            .filter_map(|text| Some((text.as_str(), Grant::parse(text).err()?)))
            .collect()
    }

    /// Sets the grants of a component. Unknown grants stay.
    pub fn set_grants(&mut self, digest: &Digest, grants: &[Grant]) {
        self.withdraw(digest, |_| true);
        self.grant(digest, grants);
    }

    /// Adds grants to a component. Returns the new grants, each with at most one pattern.
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

    /// Revokes the grant of one pattern from a component, or all grants of a capability if `revoked` has
    /// no pattern.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::NotGranted`] if there is nothing to revoke.
    pub fn revoke(&mut self, digest: &Digest, revoked: &Grant) -> Result<(), CatalogError> {
        let taken = self.withdraw(digest, |grant| {
            grant.name == revoked.name && (revoked.scope.is_empty() || grant.scope == revoked.scope)
        });
        if taken {
            return Ok(());
        }
        let granted = self.grants(digest.as_str());
        Err(CatalogError::NotGranted {
            revoked: revoked.to_string(),
            granted: granted.iter().map(ToString::to_string).collect(),
        })
    }

    /// Removes the matching grants. Returns whether there were any.
    pub(crate) fn withdraw(&mut self, digest: &Digest, which: impl Fn(&Grant) -> bool) -> bool {
        let mut any = false;
        for trust in self.trust.iter_mut().filter(|t| t.digest == *digest) {
            trust.grants.retain(|text| {
                // Grants without effect are removed as well.
                let taken = Grant::parse_any(text).is_ok_and(|grant| which(&grant));
                any |= taken;
                !taken
            });
        }
        self.trust
            .retain(|trust| !(trust.grants.is_empty() && trust.others.is_empty()));
        any
    }

    /// Adds an installed driver, and replaces a driver with the same name.
    pub fn put(&mut self, driver: Installed) {
        self.take(&driver.name);
        self.drivers.push(driver);
        self.drivers.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Removes and returns a driver. Also removes unusable entries with its name.
    pub fn take(&mut self, name: &str) -> Option<Installed> {
        let is_it = |found: &str| found.eq_ignore_ascii_case(name);
        self.broken
            .retain(|broken| !broken.name().is_some_and(is_it));
        let at = self.drivers.iter().position(|d| is_it(&d.name))?;
        Some(self.drivers.remove(at))
    }

    /// Removes the grants of a component, unless it is installed or in use.
    pub fn forget(&mut self, digest: &Digest, in_use: bool) {
        if !in_use && !self.drivers.iter().any(|driver| driver.digest == *digest) {
            self.trust.retain(|trust| trust.digest != *digest);
        }
    }
}

/// Splits a grant into the texts of grants with one pattern each.
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
