//! Rules of a policy about capabilities: how they are parsed, and what they mean for requests.

use super::catalogue::{CATALOGUE, find};
use crate::bindings::contract::CapabilityRequest;
use crate::pattern::Pattern;
use crate::policy::{Forbidden, Policy, Refusal};

impl Forbidden {
    /// Parses `NAME` or `NAME=PATTERN`.
    ///
    /// # Errors
    ///
    /// A description of what is wrong with the rule.
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
        let including = CATALOGUE
            .iter()
            .filter(|other| other.includes == Some(capability.name))
            .map(|other| other.name);
        Ok(Self::new(capability.name, including.collect(), scope, text))
    }
}

impl Policy {
    /// Checks that the policy does not forbid what the driver requires.
    ///
    /// # Errors
    ///
    /// The rule that forbids a required capability for every subject.
    pub fn check_requests(
        &self,
        name: &str,
        requests: &[CapabilityRequest],
    ) -> Result<(), Refusal> {
        self.every(|rules| {
            for request in requests.iter().filter(|request| request.required) {
                if let Some(rule) = rules
                    .forbidden
                    .iter()
                    .find(|rule| rule.covers_all(&request.name))
                {
                    return Err(rules.refusal(
                        "grants.forbid",
                        format!(
                            "{rule} is forbidden, which driver {name} needs ({}); take another \
                             driver, or have the rule changed there",
                            request.reason
                        ),
                    ));
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Rules;

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
            // A path, the paths above it, and subjects that may lead to it.
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
            // An image, in every form.
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

    #[test]
    fn a_driver_that_cannot_work_is_told_at_once() {
        let request = |name: &str, required| CapabilityRequest {
            name: name.into(),
            scope: Vec::new(),
            required,
            reason: "to build".into(),
        };
        let policy = |rule| Policy {
            files: vec![Rules {
                forbidden: vec![Forbidden::parse(rule).expect("a rule")],
                file: "/p".into(),
                ..Rules::default()
            }],
        };
        let requests = [
            request("container.privileged", true),
            request("container.bind", false),
        ];
        for (rule, refused) in [
            ("container.privileged", true),
            ("container.privileged=evil/*", false),
            ("container.bind", false),
            ("image.pull", false),
        ] {
            let said = policy(rule).check_requests("d", &requests);
            assert_eq!(said.is_err(), refused, "{rule}: {said:?}");
        }
        assert_eq!(policy("image.pull=a").forbidding("image.pull").len(), 1);
        assert!(policy("image.pull=a").forbidding("engine.open").is_empty());
    }
}
