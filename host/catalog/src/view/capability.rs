//! Capabilities that drivers ask for.

use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::grant::{self, find, is_everything, review_order};
use iechor_sandbox::{Embedded, Grant, Policy};
use schemars::JsonSchema;
use serde::Serialize;

/// A rule of a policy that forbids something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ForbiddenBy {
    /// Path of the policy file.
    pub file: String,
    /// Text of the rule.
    pub rule: String,
}

/// A capability that a driver requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Capability {
    /// Name of the capability.
    pub name: String,
    /// Patterns of the objects that the driver requests the capability for. Empty means all
    /// objects.
    pub scope: Vec<String>,
    /// Whether the scope matches all objects.
    pub any: bool,
    /// Whether the driver needs the capability to work.
    pub required: bool,
    /// Why the driver requests the capability, in its own words.
    pub reason: String,
    /// Whether it gives control over the machine of the engine.
    #[serde(skip)]
    pub high_risk: bool,
    /// What a driver with it can do or see; `None` if this program does not know it.
    #[serde(skip)]
    pub means: Option<&'static str>,
    /// Its place in the order in which to decide about grants.
    #[serde(skip)]
    pub review_rank: usize,
}

/// Returns whether a grant gives control over the machine of the engine.
pub fn is_high_risk(grant: &Grant) -> bool {
    grant::is_high_risk(&grant.name)
}

/// Returns the names of all capabilities.
pub fn capability_names() -> impl Iterator<Item = &'static str> {
    grant::CATALOGUE.iter().map(|capability| capability.name)
}

/// Returns whether a name, or another name of it, is the name of a built-in driver.
pub fn is_built_in(name: &str) -> bool {
    Embedded::find(name).is_some()
}

impl ForbiddenBy {
    pub(super) fn all(policy: &Policy, capability: &str) -> Vec<Self> {
        let rules = policy.forbidding(capability).into_iter();
        rules
            .map(|(file, rule)| Self {
                file: file.display().to_string(),
                rule: rule.to_string(),
            })
            .collect()
    }
}

impl Capability {
    /// Returns the capabilities of requests, in their order.
    pub(crate) fn all(requests: &[CapabilityRequest]) -> Vec<Self> {
        let ordered = review_order(requests);
        let rank = |request: &CapabilityRequest| {
            let mut ordered = ordered.iter();
            let place = ordered.position(|ranked| std::ptr::eq(*ranked, request));
            place.unwrap_or(usize::MAX)
        };
        requests
            .iter()
            .map(|request| Self {
                name: request.name.clone(),
                scope: request.scope.clone(),
                any: is_everything(&request.name, &request.scope),
                required: request.required,
                reason: request.reason.clone(),
                high_risk: grant::is_high_risk(&request.name),
                means: find(&request.name).ok().map(|known| known.means),
                review_rank: rank(request),
            })
            .collect()
    }
}
