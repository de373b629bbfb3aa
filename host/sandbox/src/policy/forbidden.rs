//! What no driver may do, although it is granted.

use std::fmt;

use crate::grant::{find, includes};
use crate::pattern::Pattern;

/// A capability that nobody has, or not for some subjects: `container.bind`,
/// `container.network=host`.
///
/// Where a subject can be named in another way, what may be meant is forbidden too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    capability: &'static str,
    /// `None` is every subject.
    scope: Option<Pattern>,
    text: String,
}

impl Forbidden {
    /// Parses `NAME` or `NAME=PATTERN`.
    ///
    /// # Errors
    ///
    /// In words for a person, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, pattern) = match text.split_once('=') {
            Some((name, pattern)) => (name, Some(pattern)),
            None => (text, None),
        };
        let capability = find(name)?;
        let scope = match pattern {
            None | Some("*") => None,
            Some("") => {
                return Err(format!(
                    "nothing follows the =; {name} alone forbids it all"
                ));
            }
            Some(pattern) => Some(Pattern::parse(capability, pattern)?),
        };
        if scope.as_ref().is_some_and(Pattern::is_endpoint) {
            return Err(format!(
                "endpoint is a word of grants; {name} alone forbids it all"
            ));
        }
        Ok(Self {
            capability: capability.name,
            scope,
            text: text.into(),
        })
    }

    /// Whether it is about this capability: what forbids a part of one forbids the whole.
    pub fn is_about(&self, capability: &str) -> bool {
        includes(capability, self.capability)
    }

    /// Whether it forbids the capability whatever the subject.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_things() {
        for (rule, capability, subject, expected) in [
            ("container.bind", "container.bind", "/any", true),
            ("container.bind=*", "container.bind", "/any", true),
            ("container.bind", "container.devices", "all", false),
            ("container.network=host", "container.network", "host", true),
            ("container.network=host", "container.network", "foo", false),
            (
                "container.network=container:*",
                "container.network",
                "container:x",
                true,
            ),
            // A path, what is above it, and what may lead there.
            (
                "container.bind=/etc/*",
                "container.bind",
                "/etc/shadow",
                true,
            ),
            ("container.bind=/etc/*", "container.bind", "/etc", true),
            ("container.bind=/etc/*", "container.bind", "/", true),
            ("container.bind=/etc/ssl/*", "container.bind", "/etc", true),
            ("container.bind=/etc", "container.bind", "/", true),
            ("container.bind=/etc", "container.bind", "/etc/ssl", true),
            ("container.bind=/etc", "container.bind", "/etcetera", false),
            ("container.bind=/etc/*", "container.bind", "volume x", true),
            ("container.bind=/etc/*", "container.bind", "/srv", false),
            (
                "container.bind=/etc/*",
                "container.bind",
                "/etcetera",
                false,
            ),
            (
                "transport.local=/run/docker.sock",
                "transport.local",
                "docker.sock",
                true,
            ),
            // An image, however it is written.
            (
                "container.privileged=evil/*",
                "container.privileged",
                "docker.io/evil/x",
                true,
            ),
            (
                "container.privileged=evil/*",
                "container.privileged",
                "sha256:0123",
                true,
            ),
            (
                "container.privileged=evil/*",
                "container.privileged",
                "moby/buildkit",
                false,
            ),
            (
                "image.pull=busybox",
                "image.pull",
                "library/busybox:latest",
                true,
            ),
        ] {
            let parsed = Forbidden::parse(rule).expect("a rule");
            assert_eq!(
                parsed.covers(capability, subject),
                expected,
                "{rule} {subject}"
            );
        }
        let whole = Forbidden::parse("container.bind").expect("a rule");
        assert!(whole.covers_all("container.bind") && !whole.covers_all("image.pull"));
        let part = Forbidden::parse("container.bind=/etc").expect("a rule");
        assert!(!part.covers_all("container.bind"));
        for text in [
            "",
            "root",
            "container.bind=",
            "container.bind=etc",
            "transport.tcp=endpoint",
            "image.pull=a b",
            "container.*",
        ] {
            assert!(Forbidden::parse(text).is_err(), "{text}");
        }
    }
}
