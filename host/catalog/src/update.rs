//! Checks whether the sources of installed drivers have newer components.

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
    pub asked: Vec<Capability>,
}

impl Catalog {
    /// Checks whether the source of an installed driver has another component now. One that is
    /// broken is fetched again.
    ///
    /// # Errors
    ///
    /// Where the source cannot be read, or has no driver.
    pub async fn look(
        &self,
        entry: &Installed,
        progress: Progress<'_>,
    ) -> Result<Update, CatalogError> {
        let source: Source = entry.source.parse()?;
        let old = self.load_entry(entry).await;
        if old.is_ok() {
            // What is pinned cannot become anything else.
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
            // What a driver asked for that cannot be asked any more is not known.
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

/// Returns whether a decision about `old` is one about `new`: it asks for the same or for less, and
/// needs it no more than before.
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
