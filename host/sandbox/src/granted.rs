//! The capabilities of one driver, and the check of every action.

use std::sync::Arc;

use crate::declaration::{Capability, Subject};
use crate::denial::{Denial, DenialReason, Missing};
use crate::pattern::{Pattern, may_be_id, same_address};
use crate::policy::Policy;

/// A capability that is granted or requested, with its patterns parsed.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    capability: &'static Capability,
    /// `None` matches every subject. A text that is not a pattern is left out and matches nothing.
    scope: Option<Vec<Pattern>>,
}

impl Allowance {
    /// Parses the patterns of a scope.
    pub(crate) fn new(capability: &'static Capability, scope: &[String]) -> Self {
        let parse = |text: &String| Pattern::parse(capability, text).ok();
        Self {
            capability,
            scope: (!scope.is_empty()).then(|| scope.iter().filter_map(parse).collect()),
        }
    }

    fn covers(&self, subject: &str, endpoint: &str) -> bool {
        let Some(scope) = &self.scope else {
            return true;
        };
        let own = self
            .capability
            .endpoint
            .and_then(|scheme| endpoint.strip_prefix(scheme));
        let is_own = own.is_some_and(|own| match self.capability.kind {
            Subject::Address => same_address(own, subject),
            _ => own == subject,
        });
        scope
            .iter()
            .any(|pattern| pattern.matches(subject) || (pattern.is_endpoint() && is_own))
    }
}

/// The capabilities of one driver: those that it requests, the user granted and the policy allows.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    requested: Vec<Allowance>,
    granted: Vec<Allowance>,
    endpoint: String,
    policy: Arc<Policy>,
}

impl Grants {
    /// Returns empty grants.
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn both(requested: Vec<Allowance>, granted: Vec<Allowance>) -> Self {
        Self {
            requested,
            granted,
            ..Self::default()
        }
    }

    /// Returns the same grants for a node with this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: &str) -> Self {
        self.endpoint = endpoint.to_owned();
        self
    }

    /// Returns the same grants under a policy.
    #[must_use]
    pub fn under(self, policy: Arc<Policy>) -> Self {
        Self { policy, ..self }
    }

    /// Returns the policy, which applies regardless of grants.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns whether a capability is both requested and granted for any subject.
    pub(crate) fn is_everything(&self, capability: &str) -> bool {
        let any = |allowances: &[Allowance]| {
            allowances.iter().any(|allowance| {
                allowance.capability.name == capability
                    && allowance
                        .scope
                        .as_ref()
                        .is_none_or(|scope| scope.iter().any(Pattern::is_everything))
            })
        };
        any(&self.requested) && any(&self.granted)
    }

    /// Returns the subjects of a capability that requests and grants name without a `*`, and that both cover.
    pub(crate) fn named(&self, capability: &str) -> Vec<String> {
        let allowances = self.requested.iter().chain(&self.granted);
        allowances
            .filter(|allowance| allowance.capability.name == capability)
            .filter_map(|allowance| allowance.scope.as_ref())
            .flatten()
            .map(ToString::to_string)
            .filter(|subject| !subject.contains('*') && self.check(capability, subject).is_ok())
            .collect()
    }

    /// Checks that an action is requested, granted and allowed by the policy.
    ///
    /// # Errors
    ///
    /// The denial, which the driver receives.
    pub fn check(&self, capability: &str, subject: &str) -> Result<(), Denial> {
        self.check_policy(capability, subject)?;
        let allowing = |allowances: &[Allowance]| {
            allowances.iter().any(|allowance| {
                allowance.capability.grants(capability) && allowance.covers(subject, &self.endpoint)
            })
        };
        if !allowing(&self.requested) {
            let subject = subject.to_owned();
            let reason = DenialReason::NotRequested { subject };
            Err(Denial::of(capability, reason))
        } else if !allowing(&self.granted) {
            let missing = self.missing_grant(capability, subject);
            Err(Denial::not_granted(capability, subject, missing))
        } else {
            Ok(())
        }
    }

    /// Checks that the policy allows an action, regardless of grants.
    ///
    /// # Errors
    ///
    /// The denial, which the driver receives.
    pub(crate) fn check_policy(&self, capability: &str, subject: &str) -> Result<(), Denial> {
        self.policy
            .check_grant(capability, subject)
            .map_err(|refusal| Denial::forbidden(capability, refusal))
    }

    /// Returns the grant that would allow an action.
    fn missing_grant(&self, capability: &str, subject: &str) -> Missing {
        // The requested capability exists, and capabilities that include it take patterns of the same kind.
        let requested = self.requested.iter().map(|allowance| allowance.capability);
        match requested.into_iter().find(|known| known.grants(capability)) {
            Some(known) if known.kind == Subject::Image && may_be_id(subject) => {
                Missing::Everything
            }
            Some(known) if is_literal(known, subject) => Missing::Pattern(subject.to_owned()),
            _ => Missing::Unknown,
        }
    }
}

/// Returns whether a driver's text for a subject is literal, both for a shell and as a pattern.
fn is_literal(capability: &Capability, subject: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,".contains(c);
    subject.chars().all(plain)
        && Pattern::parse(capability, subject).is_ok_and(|pattern| pattern.matches(subject))
}
