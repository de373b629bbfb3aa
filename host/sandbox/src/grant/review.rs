//! How requests and grants are shown to the person who decides about them.

use super::catalogue::{is_high_risk, lookup};
use crate::bindings::contract::CapabilityRequest;
use crate::pattern::Pattern;

/// Returns requests in the order in which to decide about them: what is dangerous first, of that
/// what amounts to everything, and of that what the driver cannot do without.
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

/// Whether a scope amounts to every subject of the capability: it has no pattern, or one that does.
/// So does a scope of a capability that there is not.
pub fn is_everything(name: &str, scope: &[String]) -> bool {
    let Some(capability) = lookup(name) else {
        return true;
    };
    scope.is_empty()
        || scope.iter().any(|text| {
            Pattern::parse(capability, text).is_ok_and(|pattern| pattern.is_everything())
        })
}

/// Puts a scope into words: `any` where it amounts to every subject, else its patterns.
pub fn scope(name: &str, scope: &[String]) -> String {
    match is_everything(name, scope) {
        true => "any".to_owned(),
        false => scope.join(", "),
    }
}
