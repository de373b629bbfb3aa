//! What a driver may do: what it asks for, as far as the user granted it.
//!
//! A grant is a name of the [`CATALOGUE`] and a scope: patterns that the subject of an action must
//! match, `*` standing for any characters. An empty scope is any subject. In a scope of the
//! transport's capabilities the word [`ENDPOINT`] is the address of the node's own endpoint. What an
//! organisation forbids, nobody can grant.

use std::sync::Arc;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bindings::contract::{CapabilityRequest, Denial};
use crate::policy::Policy;
use crate::text::nearest;

/// The pattern that stands for the node's own endpoint.
pub const ENDPOINT: &str = "endpoint";

/// A capability that is granted, not merely imported.
pub struct Capability {
    /// Dotted name.
    pub name: &'static str,
    /// What its scope is matched against.
    pub subject: &'static str,
    /// How that is written.
    pub kind: Subject,
    /// Whoever has it can get hold of the engine's machine.
    pub high_risk: bool,
}

/// How the subject of a capability is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The name of an image.
    Image,
    /// An absolute path.
    Path,
    /// In a way of its own.
    Other,
}

/// All of them.
pub const CATALOGUE: &[Capability] = &[
    Capability {
        name: "container.create",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: false,
    },
    Capability {
        name: "container.privileged",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: true,
    },
    Capability {
        name: "container.command",
        subject: "the container's image",
        kind: Subject::Image,
        high_risk: true,
    },
    Capability {
        name: "container.bind",
        subject: "a path of the engine's machine",
        kind: Subject::Path,
        high_risk: true,
    },
    Capability {
        name: "container.devices",
        subject: "the devices asked for",
        kind: Subject::Other,
        high_risk: true,
    },
    Capability {
        name: "container.network",
        subject: "the network's name or mode",
        kind: Subject::Other,
        high_risk: true,
    },
    Capability {
        name: "container.cgroup-parent",
        subject: "the parent cgroup",
        kind: Subject::Other,
        high_risk: false,
    },
    Capability {
        name: "image.pull",
        subject: "the image reference",
        kind: Subject::Image,
        high_risk: false,
    },
    Capability {
        name: "engine.open",
        subject: "control or session",
        kind: Subject::Other,
        high_risk: true,
    },
    Capability {
        name: "transport.tcp",
        subject: "host:port",
        kind: Subject::Other,
        high_risk: true,
    },
    Capability {
        name: "transport.local",
        subject: "the socket's path",
        kind: Subject::Path,
        high_risk: true,
    },
    Capability {
        name: "transport.bytes",
        subject: "what the connection leads to",
        kind: Subject::Other,
        high_risk: true,
    },
];

/// Whether whoever has that capability can get hold of the engine's machine. One that is not in the
/// [`CATALOGUE`] counts as such: nobody knows what it does.
pub fn is_high_risk(name: &str) -> bool {
    CATALOGUE
        .iter()
        .find(|capability| capability.name == name)
        .is_none_or(|capability| capability.high_risk)
}

/// Requests in the order in which to decide about them: what is dangerous first, and of that what
/// the driver cannot do without.
pub fn review_order(requests: &[CapabilityRequest]) -> Vec<&CapabilityRequest> {
    let mut ordered: Vec<_> = requests.iter().collect();
    ordered.sort_by_key(|request| (!is_high_risk(&request.name), !request.required));
    ordered
}

/// The capability of that name.
///
/// # Errors
///
/// That there is none, and which there are.
pub fn find(name: &str) -> Result<&'static Capability, String> {
    CATALOGUE
        .iter()
        .find(|capability| capability.name == name)
        .ok_or_else(|| {
            let names = CATALOGUE.iter().map(|capability| capability.name);
            let others = match nearest(name, names.clone()) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
            };
            format!("there is no capability {name:?}; {others}")
        })
}

/// What is wrong with requests that a driver cannot do without: capabilities that there are not.
pub fn unknown(requests: &[CapabilityRequest]) -> Vec<String> {
    let required = requests.iter().filter(|request| request.required);
    required
        .filter_map(|request| find(&request.name).err())
        .collect()
}

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
    /// That there is no such capability, and which there are.
    pub fn parse(text: &str) -> Result<Self, String> {
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

    fn covers(&self, subject: &str, endpoint: &str) -> bool {
        let own = match self.name.as_str() {
            "transport.tcp" => endpoint.strip_prefix("tcp://"),
            "transport.local" => endpoint.strip_prefix("unix://"),
            _ => None,
        };
        self.scope.is_empty()
            || self.scope.iter().any(|pattern| {
                matches(pattern, subject) || (pattern == ENDPOINT && own == Some(subject))
            })
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

/// What one driver may do.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    requested: Vec<Grant>,
    granted: Vec<Grant>,
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
            requested: as_grants(requests),
            granted,
            endpoint: String::new(),
            policy: Arc::default(),
        }
    }

    /// All that is requested: the driver was trusted when this host was built.
    pub fn trusted(requests: &[CapabilityRequest]) -> Self {
        Self {
            requested: as_grants(requests),
            granted: as_grants(requests),
            endpoint: String::new(),
            policy: Arc::default(),
        }
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

    /// Returns the scopes in which a capability is requested, and those in which it is granted; an
    /// empty scope is any subject.
    pub(crate) fn scopes(&self, capability: &str) -> [Vec<&[String]>; 2] {
        [&self.requested, &self.granted].map(|grants| {
            let of = grants.iter().filter(|grant| grant.name == capability);
            of.map(|grant| grant.scope.as_slice()).collect()
        })
    }

    /// Checks one action.
    ///
    /// # Errors
    ///
    /// The denial that the driver is answered with.
    pub fn check(&self, capability: &str, subject: &str) -> Result<(), Denial> {
        debug_assert!(
            CATALOGUE.iter().any(|known| known.name == capability),
            "{capability}"
        );
        self.policy
            .check_grant(capability, subject)
            .map_err(|refusal| refusal.denial(capability))?;
        let allowed = |grants: &[Grant]| {
            grants.iter().any(|grant| {
                includes(&grant.name, capability) && grant.covers(subject, &self.endpoint)
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

/// Whether who has `granted` has `capability` too.
pub(crate) fn includes(granted: &str, capability: &str) -> bool {
    granted == capability || (granted, capability) == ("container.privileged", "container.create")
}

/// The flag that would grant an action. None where the driver's word for the subject would mean
/// more than it says: to a shell, or as a pattern.
fn hint(capability: &str, subject: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:@,".contains(c);
    if !subject.is_empty() && subject.chars().all(plain) {
        format!("; --grant {capability}={subject} would")
    } else {
        String::new()
    }
}

fn as_grants(requests: &[CapabilityRequest]) -> Vec<Grant> {
    requests.iter().map(Grant::of).collect()
}

/// Whether `*` of the pattern, each standing for any characters, can make it the subject.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| subject.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Forbidden, Rules};

    fn request(name: &str, scope: &[&str]) -> CapabilityRequest {
        CapabilityRequest {
            name: name.into(),
            scope: scope.iter().map(|s| (*s).into()).collect(),
            required: true,
            reason: "because".into(),
        }
    }

    #[test]
    fn patterns() {
        for (pattern, subject) in [
            ("a", "a"),
            ("*", ""),
            ("*", "anything"),
            ("moby/buildkit:*", "moby/buildkit:v0.31"),
            ("*/buildkit:*-rootless", "moby/buildkit:v1-rootless"),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [
            ("a", "ab"),
            ("", "a"),
            ("moby/buildkit:*", "evil/moby/buildkit:v1"),
            ("a*a", "a"),
            ("*b", "ba"),
        ] {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
    }

    #[test]
    fn both_the_author_and_the_user_must_have_said_so() {
        let requests = [request("image.pull", &["moby/*"])];
        let grants = Grants::new(&requests, vec![]);
        let denial = grants
            .check("image.pull", "moby/buildkit")
            .expect_err("not granted");
        assert!(
            denial.detail.contains("--grant image.pull=moby/buildkit"),
            "{}",
            denial.detail
        );

        let any = vec![Grant {
            name: "image.pull".into(),
            scope: vec![],
        }];
        let grants = Grants::new(&requests, any.clone());
        assert_eq!(
            grants
                .check("image.pull", "moby/buildkit")
                .map_err(|d| d.detail),
            Ok(())
        );
        let denial = grants
            .check("image.pull", "evil/image")
            .expect_err("not requested");
        assert!(denial.detail.contains("did not ask"), "{}", denial.detail);
        assert!(
            grants
                .check("container.privileged", "moby/buildkit")
                .is_err()
        );

        assert!(Grants::missing(&requests, &any).is_empty());
        assert_eq!(
            Grants::missing(&requests, &[]),
            [("image.pull".to_owned(), "because".to_owned())]
        );
    }

    #[test]
    fn who_may_create_privileged_containers_may_create_others() {
        let requests = [
            request("container.create", &[]),
            request("container.privileged", &[]),
        ];
        let privileged = vec![Grant::parse("container.privileged=a").expect("a grant")];
        assert!(Grants::missing(&requests, &privileged).is_empty());
        let grants = Grants::new(&requests, privileged);
        assert!(grants.check("container.create", "a").is_ok());
        assert!(grants.check("container.create", "b").is_err());
        let create = vec![Grant::parse("container.create").expect("a grant")];
        let missing = Grants::missing(&requests, &create);
        assert_eq!(missing[0].0, "container.privileged");
        let grants = Grants::new(&requests, create);
        assert!(grants.check("container.privileged", "a").is_err());
    }

    #[test]
    fn what_forbids_a_part_forbids_the_whole() {
        let requests = [
            request("container.create", &[]),
            request("container.privileged", &[]),
        ];
        let under = |rule: &str| {
            let rules = Rules {
                forbidden: vec![Forbidden::parse(rule).expect("a rule")],
                ..Rules::default()
            };
            let policy = Arc::new(Policy { files: vec![rules] });
            Grants::trusted(&requests).under(policy)
        };
        for (rule, create, privileged) in [
            ("container.create", false, false),
            ("container.create=moby/a:*", false, false),
            ("container.create=moby/b:*", true, true),
            ("container.privileged", true, false),
        ] {
            let grants = under(rule);
            assert_eq!(
                grants.check("container.create", "moby/a:1").is_ok(),
                create,
                "{rule}"
            );
            let found = grants.check("container.privileged", "moby/a:1").is_ok();
            assert_eq!(found, privileged, "{rule}");
        }
    }

    #[test]
    fn the_nodes_own_endpoint_can_be_granted_by_that_word() {
        let requests = [
            request("transport.tcp", &[ENDPOINT]),
            request("transport.local", &[ENDPOINT]),
            request("image.pull", &[ENDPOINT]),
        ];
        let grants = Grants::trusted(&requests);
        let at = |endpoint: &str, capability: &str, subject: &str| {
            grants.clone().at(endpoint).check(capability, subject)
        };
        assert!(at("tcp://b:1234", "transport.tcp", "b:1234").is_ok());
        assert!(at("tcp://[::1]:1", "transport.tcp", "[::1]:1").is_ok());
        assert!(at("unix:///run/b.sock", "transport.local", "/run/b.sock").is_ok());
        for (endpoint, capability, subject) in [
            ("tcp://b:1234", "transport.tcp", "b:1235"),
            ("tcp://b:1234", "transport.tcp", "c:1234"),
            ("tcp://b:1234", "transport.local", "b:1234"),
            ("unix:///run/b.sock", "transport.local", "/run/docker.sock"),
            ("unix://b:1234", "transport.tcp", "b:1234"),
            ("default", "transport.tcp", "default"),
            ("", "transport.local", ""),
            // Elsewhere it is a word like any other.
            ("tcp://b:1234", "image.pull", "b:1234"),
        ] {
            let denial = at(endpoint, capability, subject).expect_err(subject);
            assert_eq!(denial.capability, capability);
        }
    }

    #[test]
    fn what_is_dangerous_is_decided_first() {
        let optional = CapabilityRequest {
            required: false,
            ..request("engine.open", &[])
        };
        let requests = [
            request("image.pull", &[]),
            optional,
            request("container.privileged", &[]),
            request("of.the.future", &[]),
        ];
        let order: Vec<_> = review_order(&requests)
            .iter()
            .map(|request| request.name.as_str())
            .collect();
        let expected = [
            "container.privileged",
            "of.the.future",
            "engine.open",
            "image.pull",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn grants_are_written_as_they_are_given() {
        for text in ["image.pull", "image.pull=moby/*"] {
            assert_eq!(Grant::parse(text).map(|g| g.to_string()), Ok(text.into()));
        }
        let several = Grant::of(&request("image.pull", &["a", "b"]));
        assert_eq!(several.to_string(), "image.pull=a image.pull=b");
    }

    #[test]
    fn grants_are_parsed_and_unknown_ones_named() {
        assert_eq!(
            Grant::parse("container.network=host"),
            Ok(Grant {
                name: "container.network".into(),
                scope: vec!["host".into()]
            })
        );
        let error = Grant::parse("root").expect_err("unknown");
        assert!(error.contains("container.privileged"), "{error}");
    }
}
