//! Capabilities that no driver may use, even if they are granted.

use std::fmt;

use crate::pattern::Pattern;

/// A capability that is forbidden, for all subjects or for some: `container.bind`,
/// `container.network=host`.
///
/// If a subject has several names, every name that may mean it is forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    capability: &'static str,
    /// The capabilities that include it: a rule that forbids a part forbids the whole.
    including: Vec<&'static str>,
    /// `None` matches every subject.
    scope: Option<Pattern>,
    text: String,
}

impl Forbidden {
    pub(crate) fn new(
        capability: &'static str,
        including: Vec<&'static str>,
        scope: Option<Pattern>,
        text: &str,
    ) -> Self {
        Self {
            capability,
            including,
            scope,
            text: text.to_owned(),
        }
    }

    /// Returns whether the rule is about this capability.
    pub fn is_about(&self, capability: &str) -> bool {
        self.capability == capability || self.including.contains(&capability)
    }

    /// Returns whether the rule forbids the capability for every subject.
    pub fn covers_all(&self, capability: &str) -> bool {
        self.is_about(capability) && self.scope.is_none()
    }

    pub(crate) fn covers(&self, capability: &str, subject: &str) -> bool {
        self.is_about(capability)
            && self
                .scope
                .as_ref()
                .is_none_or(|pattern| pattern.may_match(subject))
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
