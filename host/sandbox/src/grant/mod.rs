//! Grants: how they are written, shown and combined with requests.
//!
//! A grant is a name of the [`CATALOGUE`] and a scope: patterns, of which one must match the subject of an
//! action, see [`crate::pattern`]. An empty scope matches every subject. In a scope of the transport's
//! capabilities the word [`ENDPOINT`] is the address of the node's own endpoint. A policy can forbid what
//! was granted. [`Grants`] checks every action.

mod catalogue;
mod review;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::catalogue::lookup;
pub use self::catalogue::{CATALOGUE, FUNCTIONS, find, is_high_risk, unknown};
pub use self::review::{is_everything, review_order, scope};
use crate::bindings::contract::CapabilityRequest;
pub use crate::declaration::{Capability, ENDPOINT, Function, Needs, Subject};
use crate::granted::Allowance;
pub use crate::granted::Grants;
use crate::pattern::Pattern;
pub use crate::pattern::{PATTERN_CHARS, STARS};

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// A name of the [`CATALOGUE`].
    pub name: String,
    /// Patterns. An empty list matches every subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
}

impl Grant {
    /// Parses `NAME` or `NAME=PATTERN`.
    ///
    /// # Errors
    ///
    /// The capability does not exist, or the pattern is invalid; the text says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let grant = Self::parse_any(text)?;
        let capability = find(&grant.name)?;
        for pattern in &grant.scope {
            Pattern::parse(capability, pattern)?;
        }
        Ok(grant)
    }

    /// Parses like [`Self::parse`], with any text as the pattern, because an invalid grant can be revoked
    /// too.
    ///
    /// # Errors
    ///
    /// The capability does not exist; the text names similar ones.
    pub fn parse_any(text: &str) -> Result<Self, String> {
        let (name, scope) = match text.split_once('=') {
            Some((name, pattern)) => (name, vec![pattern.to_owned()]),
            None => (text, Vec::new()),
        };
        Ok(Self {
            name: find(name)?.name.into(),
            scope,
        })
    }

    /// Returns the grant of everything that a request asks for.
    pub fn of(request: &CapabilityRequest) -> Self {
        Self {
            name: request.name.clone(),
            scope: request.scope.clone(),
        }
    }
}

/// Displays `NAME`, or `NAME=PATTERN` for each pattern, as [`Grant::parse`] accepts them.
impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scope.is_empty() {
            return formatter.write_str(&self.name);
        }
        for (number, pattern) in self.scope.iter().enumerate() {
            let gap = if number == 0 { "" } else { " " };
            write!(formatter, "{gap}{}={pattern}", self.name)?;
        }
        Ok(())
    }
}

/// Parses requests or grants. A capability that does not exist allows nothing.
fn allowances<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Vec<Allowance> {
    grants
        .into_iter()
        .filter_map(|grant| Some(Allowance::new(lookup(&grant.name)?, &grant.scope)))
        .collect()
}

impl Grants {
    /// Returns the capabilities that are both requested and granted.
    pub fn new(requests: &[CapabilityRequest], granted: Vec<Grant>) -> Self {
        let requested: Vec<_> = requests.iter().map(Grant::of).collect();
        Self::both(allowances(&requested), allowances(&granted))
    }

    /// Returns grants of all requests, for built-in drivers, which are trusted.
    pub fn trusted(requests: &[CapabilityRequest]) -> Self {
        Self::new(requests, requests.iter().map(Grant::of).collect())
    }

    /// Returns the requests that are required and not granted at all, with their reasons.
    pub fn missing(requests: &[CapabilityRequest], granted: &[Grant]) -> Vec<(String, String)> {
        let has = |name: &str| {
            let granting = |grant: &Grant| {
                grant.name == name || lookup(&grant.name).is_some_and(|known| known.grants(name))
            };
            granted.iter().any(granting)
        };
        requests
            .iter()
            .filter(|request| request.required && !has(&request.name))
            .map(|request| (request.name.clone(), request.reason.clone()))
            .collect()
    }
}
