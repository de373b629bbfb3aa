//! How requests and grants are shown to users.

use super::catalogue::{is_high_risk, lookup};
use crate::bindings::contract::CapabilityRequest;
use crate::pattern::Pattern;

/// Returns requests in the order in which to decide about them: high risk first, then requests for
/// everything, then required ones.
pub fn review_order(requests: &[CapabilityRequest]) -> Vec<&CapabilityRequest> {
    let mut ordered: Vec<_> = requests.iter().collect();
    ordered.sort_by_key(|request| {
        (
            !is_high_risk(&request.name),
            !is_everything(&request.name, &request.scope),
            !request.required,
        )
    });
    ordered
}

/// Returns whether a scope matches practically every subject of the capability. Any scope of an unknown
/// capability counts as everything.
pub fn is_everything(name: &str, scope: &[String]) -> bool {
    let Some(capability) = lookup(name) else {
        return true;
    };
    scope.is_empty()
        || scope.iter().any(|text| {
            Pattern::parse(capability, text).is_ok_and(|pattern| pattern.is_everything())
        })
}

/// Describes a scope: `any` if it matches practically everything, otherwise its patterns.
pub fn scope(name: &str, scope: &[String]) -> String {
    match is_everything(name, scope) {
        true => "any".to_owned(),
        false => scope.join(", "),
    }
}
