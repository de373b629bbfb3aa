//! Checks the sources of installed drivers for newer components.

use std::sync::Arc;

use iechor_registry::Progress;
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::{Driver, Grant};

use crate::candidate::Candidate;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::lock::Installed;
use crate::source::Source;
use crate::view::Capability;

/// The current state of the source of an installed driver.
pub enum Update {
    /// The same component.
    Same,
    /// Another component.
    New(Box<Newer>),
}

/// A driver that can replace an installed one.
pub struct Newer {
    /// The driver.
    pub candidate: Candidate,
    /// The grants that stay: those of the old driver that the new one requests, too.
    pub kept: Vec<Grant>,
    /// The requests that are new, in the order of the decisions.
    pub asked: Vec<Capability>,
}

impl Catalog {
    /// Checks the source of an installed driver for another component. Fetches a broken driver again.
    ///
    /// # Errors
    ///
    /// Returns an error if the source cannot be read, or contains no driver.
    pub async fn look(
        &self,
        entry: &Installed,
        progress: Progress<'_>,
    ) -> Result<Update, CatalogError> {
        let source: Source = entry.source.parse()?;
        let old = self.load_entry(entry).await;
        if old.is_ok() {
            // A pinned source cannot change.
            if source.digest.is_some() {
                return Ok(Update::Same);
            }
            let found = self.resolve(&source).await?;
            if found.digest == entry.digest && found.pinned.to_string() == entry.pinned {
                return Ok(Update::Same);
            }
        }
        let candidate = Candidate::fetch(self, source, Some(&entry.name), progress).await?;
        let granted = self.storage().lock_file()?.grants(entry.digest.as_str());
        let before = match old {
            _ if candidate.entry().digest == entry.digest => {
                candidate.descriptor().capabilities.clone()
            }
            Ok(driver) => requests(&driver).await,
            // The requests of a driver that cannot be loaded are unknown.
            Err(_) => Vec::new(),
        };
        let (known, asked): (Vec<_>, Vec<_>) = candidate
            .ordered_requests()
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
            asked: Capability::all(&asked),
        })))
    }
}

async fn requests(driver: &Arc<Driver>) -> Vec<CapabilityRequest> {
    match driver.descriptor().await {
        Ok(descriptor) => descriptor.capabilities.clone(),
        Err(_) => Vec::new(),
    }
}

/// Returns whether a decision about `old` applies to `new`: `new` requests the same or less, and does not
/// require it if `old` did not.
fn covers(old: &CapabilityRequest, new: &CapabilityRequest) -> bool {
    let narrower = old.scope.is_empty()
        || (!new.scope.is_empty() && new.scope.iter().all(|pattern| old.scope.contains(pattern)));
    old.name == new.name && narrower && (old.required || !new.required)
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
    fn a_request_for_more_is_asked_about_again() {
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
