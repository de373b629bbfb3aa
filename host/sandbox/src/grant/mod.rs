//! What a driver may do: what it asks for, as far as the user granted it.
//!
//! A grant is a name of the [`CATALOGUE`] and a scope: patterns that the subject of an action must
//! match, see [`crate::pattern`]. An empty scope is any subject. In a scope of the transport's
//! capabilities the word [`ENDPOINT`] is the address of the node's own endpoint. What an
//! organisation forbids, nobody can grant.

mod catalogue;
mod functions;
mod review;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::catalogue::lookup;
pub use self::catalogue::{CATALOGUE, Capability, find, is_high_risk, unknown};
pub(crate) use self::catalogue::{includes, lookup as lookup_capability};
pub use self::functions::{FUNCTIONS, Function, Needs};
pub use self::review::{is_everything, review_order, scope};
use crate::bindings::contract::{CapabilityRequest, Denial};
pub use crate::pattern::{PATTERN_CHARS, STARS, Subject};
use crate::pattern::{Pattern, may_be_id, same_address};
use crate::policy::Policy;

/// The pattern that stands for the node's own endpoint.
pub const ENDPOINT: &str = "endpoint";

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// A name of the [`CATALOGUE`].
    pub name: String,
    /// Patterns; empty is any subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
}

impl Grant {
    /// Parses `NAME` or `NAME=PATTERN`.
    ///
    /// # Errors
    ///
    /// That there is no such capability, and which there are; or the pattern, and what is wrong
    /// with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let grant = Self::parse_any(text)?;
        let capability = find(&grant.name)?;
        for pattern in &grant.scope {
            Pattern::parse(capability, pattern)?;
        }
        Ok(grant)
    }

    /// As [`Self::parse`], with any text as the pattern: what is to be taken back may be a grant
    /// that counts for nothing.
    ///
    /// # Errors
    ///
    /// That there is no such capability, and which there are.
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

    /// The grant of all that a request asks for.
    pub fn of(request: &CapabilityRequest) -> Self {
        Self {
            name: request.name.clone(),
            scope: request.scope.clone(),
        }
    }
}

/// `NAME`, or `NAME=PATTERN` for each pattern, as [`Grant::parse`] reads them.
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

/// A grant or request whose patterns were parsed.
#[derive(Debug, Clone)]
struct Allowance {
    name: String,
    /// `None` is any subject. What is no pattern is left out, and covers nothing.
    scope: Option<Vec<Pattern>>,
}

impl Allowance {
    fn of(grant: &Grant) -> Self {
        let parse = |text: &String| Pattern::parse(lookup(&grant.name)?, text).ok();
        Self {
            name: grant.name.clone(),
            scope: (!grant.scope.is_empty())
                .then(|| grant.scope.iter().filter_map(parse).collect()),
        }
    }

    fn covers(&self, subject: &str, endpoint: &str) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        let is_own = match self.name.as_str() {
            "transport.tcp" => endpoint
                .strip_prefix("tcp://")
                .is_some_and(|own| same_address(own, subject)),
            "transport.local" => endpoint.strip_prefix("unix://") == Some(subject),
            _ => false,
        };
        scope
            .iter()
            .any(|pattern| pattern.matches(subject) || (pattern.is_endpoint() && is_own))
    }
}

/// What one driver may do.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    requested: Vec<Allowance>,
    granted: Vec<Allowance>,
    endpoint: String,
    policy: Arc<Policy>,
}

impl Grants {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// What is both requested and granted.
    pub fn new(requests: &[CapabilityRequest], granted: Vec<Grant>) -> Self {
        Self {
            requested: requests
                .iter()
                .map(Grant::of)
                .map(|g| Allowance::of(&g))
                .collect(),
            granted: granted.iter().map(Allowance::of).collect(),
            endpoint: String::new(),
            policy: Arc::default(),
        }
    }

    /// All that is requested: the driver was trusted when this host was built.
    pub fn trusted(requests: &[CapabilityRequest]) -> Self {
        Self::new(requests, requests.iter().map(Grant::of).collect())
    }

    /// The same for a node of that endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: &str) -> Self {
        self.endpoint = endpoint.to_owned();
        self
    }

    /// The same as far as the policy allows it.
    #[must_use]
    pub fn under(self, policy: Arc<Policy>) -> Self {
        Self { policy, ..self }
    }

    /// What holds whatever is granted.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The requests that are required and not granted at all, with their reasons.
    pub fn missing(requests: &[CapabilityRequest], granted: &[Grant]) -> Vec<(String, String)> {
        requests
            .iter()
            .filter(|request| {
                request.required
                    && !granted
                        .iter()
                        .any(|grant| includes(&grant.name, &request.name))
            })
            .map(|request| (request.name.clone(), request.reason.clone()))
            .collect()
    }

    /// Returns whether a capability is both requested and granted for any subject.
    pub(crate) fn is_everything(&self, capability: &str) -> bool {
        let any = |allowances: &[Allowance]| {
            allowances.iter().any(|allowance| {
                allowance.name == capability
                    && allowance
                        .scope
                        .as_ref()
                        .is_none_or(|scope| scope.iter().any(Pattern::is_everything))
            })
        };
        any(&self.requested) && any(&self.granted)
    }

    /// Returns the subjects that are named as such, not by a pattern, in what is requested and granted
    /// of a capability, and that it covers.
    pub(crate) fn named(&self, capability: &str) -> Vec<String> {
        let allowances = self.requested.iter().chain(&self.granted);
        allowances
            .filter(|allowance| allowance.name == capability)
            .filter_map(|allowance| allowance.scope.as_ref())
            .flatten()
            .map(ToString::to_string)
            .filter(|subject| !subject.contains('*') && self.check(capability, subject).is_ok())
            .collect()
    }

    /// Checks one action.
    ///
    /// # Errors
    ///
    /// The denial that the driver is answered with.
    pub fn check(&self, capability: &str, subject: &str) -> Result<(), Denial> {
        debug_assert!(lookup(capability).is_some(), "{capability}");
        self.policy
            .check_grant(capability, subject)
            .map_err(|refusal| refusal.denial(capability))?;
        let allowed = |allowances: &[Allowance]| {
            allowances.iter().any(|allowance| {
                includes(&allowance.name, capability) && allowance.covers(subject, &self.endpoint)
            })
        };
        let detail = if !allowed(&self.requested) {
            format!("the driver did not ask for it: {subject:?}")
        } else if !allowed(&self.granted) {
            format!(
                "nobody granted it: {subject:?}{}",
                hint(capability, subject)
            )
        } else {
            return Ok(());
        };
        Err(Denial {
            capability: capability.into(),
            detail,
        })
    }
}

/// The flag that would grant an action. None where the driver's word for the subject would mean
/// more or less than it says: to a shell, or as a pattern.
fn hint(capability: &str, subject: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,".contains(c);
    let Some(known) = lookup(capability) else {
        return String::new();
    };
    if known.kind == Subject::Image && may_be_id(subject) {
        return format!(
            ", which may be the id of any image; only --grant {capability}, of any image, would"
        );
    }
    let covers = || Pattern::parse(known, subject).is_ok_and(|pattern| pattern.matches(subject));
    if subject.chars().all(plain) && covers() {
        format!("; --grant {capability}={subject} would")
    } else {
        String::new()
    }
}
