//! Patterns of subjects, in requests, grants and policies.
//!
//! Each kind of subject has one parser and one matcher, so a pattern has the same meaning everywhere. It is
//! compared with the meaning of a subject, and not with how a driver writes it: `buildkit` is `docker.io/library/buildkit:latest`, and
//! `[::ffff:10.0.0.1]:80` is `10.0.0.1:80`.

mod address;
mod host;
mod image;
mod path;
mod word;

use std::fmt;

pub use image::ImagePattern;
pub(crate) use image::may_be_id;

use self::address::AddressPattern;
pub(crate) use self::address::same as same_address;
pub(crate) use self::host::{HostPattern, Place};
pub(crate) use self::path::PathPattern;
use self::word::{DevicesPattern, GroupPattern, WordPattern};
use crate::declaration::{Capability, ENDPOINT, Subject};
use iechor_text::is_displayable;

/// Maximum number of characters of a pattern. The longest useful one is a path, or an image with its digest.
pub const PATTERN_CHARS: usize = 200;
/// Maximum number of `*` in a pattern. Registry, path and tag of an image have one each at most.
pub const STARS: usize = 4;

/// A pattern, of the kind that its capability takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    /// The address of the node's own endpoint.
    Endpoint,
    Image(ImagePattern),
    Path(PathPattern),
    Address(AddressPattern),
    Devices(DevicesPattern),
    Group(GroupPattern),
    Word(WordPattern),
}

impl Pattern {
    /// Parses a pattern of that capability.
    ///
    /// # Errors
    ///
    /// A description with the pattern and the fault.
    pub fn parse(capability: &Capability, text: &str) -> Result<Self, String> {
        kind(capability, text)
            .map(|kind| Self {
                text: text.to_owned(),
                kind,
            })
            .map_err(|why| {
                let shown: String = text.chars().take(PATTERN_CHARS).collect();
                format!("{shown:?} is no pattern for {}: {why}", capability.name)
            })
    }

    /// Returns whether this is the word for the address of the node's own endpoint.
    pub fn is_endpoint(&self) -> bool {
        self.kind == Kind::Endpoint
    }

    /// Returns whether the pattern certainly matches the subject.
    pub fn matches(&self, subject: &str) -> bool {
        match &self.kind {
            Kind::Any => true,
            // The caller knows the address of the node.
            Kind::Endpoint => false,
            Kind::Image(pattern) => pattern.matches(subject),
            Kind::Path(pattern) => pattern.matches(subject),
            Kind::Address(pattern) => pattern.matches(subject),
            Kind::Devices(pattern) => pattern.matches(subject),
            Kind::Group(pattern) => pattern.matches(subject),
            Kind::Word(pattern) => pattern.matches(subject),
        }
    }

    /// Returns whether the subject may be, or include, one that the pattern matches. Rules that forbid use this.
    pub fn may_match(&self, subject: &str) -> bool {
        match &self.kind {
            Kind::Any | Kind::Endpoint => true,
            Kind::Image(pattern) => pattern.may_match(subject),
            Kind::Path(pattern) => pattern.may_match(subject),
            Kind::Address(pattern) => pattern.may_match(subject),
            Kind::Devices(pattern) => pattern.may_match(subject),
            Kind::Group(pattern) => pattern.may_match(subject),
            Kind::Word(pattern) => pattern.matches(subject),
        }
    }

    /// Returns whether the pattern matches practically every subject. Users are shown `any` then, not a
    /// pattern that looks like less.
    pub fn is_everything(&self) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::Endpoint => false,
            Kind::Image(pattern) => pattern.is_everything(),
            Kind::Path(pattern) => pattern.is_everything(),
            Kind::Address(pattern) => pattern.is_everything(),
            Kind::Devices(pattern) => pattern.is_everything(),
            Kind::Group(pattern) => pattern.is_everything(),
            Kind::Word(pattern) => pattern.is_everything(),
        }
    }
}

/// Displays the pattern as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn kind(capability: &Capability, text: &str) -> Result<Kind, String> {
    check_text(text)?;
    if text.chars().all(|c| c == '*') {
        return Ok(Kind::Any);
    }
    if text == ENDPOINT && capability.endpoint.is_some() {
        return Ok(Kind::Endpoint);
    }
    Ok(match capability.kind {
        Subject::Image => Kind::Image(ImagePattern::parse(text)?),
        Subject::Path => Kind::Path(PathPattern::parse(text)?),
        Subject::Address => Kind::Address(AddressPattern::parse(text)?),
        Subject::Devices => Kind::Devices(DevicesPattern::parse(text)?),
        Subject::Group => Kind::Group(GroupPattern::parse(text)?),
        Subject::Other => Kind::Word(WordPattern::parse(text)?),
    })
}

/// Checks the rules for patterns of every kind.
fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty; leave out the = for every subject".into());
    }
    if text.chars().count() > PATTERN_CHARS {
        return Err(format!("it has more than {PATTERN_CHARS} characters"));
    }
    if text.chars().any(|c| !is_displayable(c)) {
        return Err("it has a character that is not seen".into());
    }
    if text.matches('*').count() > STARS {
        return Err(format!("it has more than {STARS} stars"));
    }
    Ok(())
}

/// Returns whether the pattern matches the subject; each `*` stands for any characters.
pub(crate) fn wildcard(pattern: &str, subject: &str) -> bool {
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
    use crate::grant::find;

    fn parse(capability: &str, text: &str) -> Result<Pattern, String> {
        Pattern::parse(find(capability).expect("there is one"), text)
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, subject) in [
            ("a", "a"),
            ("*", ""),
            ("*", "anything"),
            ("moby/buildkit:*", "moby/buildkit:v0.31"),
            ("*/buildkit:*-rootless", "moby/buildkit:v1-rootless"),
            ("a*a", "aa"),
        ] {
            assert!(wildcard(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [
            ("a", "ab"),
            ("", "a"),
            ("moby/buildkit:*", "evil/moby/buildkit:v1"),
            ("a*a", "a"),
            ("*b", "ba"),
        ] {
            assert!(!wildcard(pattern, subject), "{pattern} {subject}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_means_and_not_what_its_text_begins() {
        for (capability, pattern, subject, expected) in [
            // Another registry, whose name and port look like a name and its tag.
            (
                "image.pull",
                "buildkit:*",
                "buildkit:5000/other/image",
                false,
            ),
            ("container.create", "buildkit:*", "buildkit:5000/x", false),
            ("container.privileged", "moby/*", "moby/../evil", false),
            ("image.pull", "buildkit:*", "buildkit:v1", true),
            (
                "image.pull",
                "buildkit",
                "docker.io/library/buildkit:latest",
                true,
            ),
            ("image.pull", "a*", "a.example.com/evil", false),
            // Only "any" covers a reference that may be the ID of any image.
            ("image.pull", "docker.io/*", "sha256:0123", false),
            ("image.pull", "*/*", "cafe", false),
            ("image.pull", "*", "sha256:0123", true),
            // Paths.
            ("container.bind", "/srv/*", "/srv/a/b", true),
            ("container.bind", "/srv/*", "/srv/../etc", false),
            ("container.bind", "/srv/*", "/srv", false),
            ("container.bind", "/srv/", "/srv", true),
            ("container.bind", "*/x", "volume a/x", false),
            ("container.bind", "volume a*", "volume ab", true),
            ("container.bind", "volume a*", "/volume ab", false),
            ("transport.local", "/run/*.sock", "/run/a.sock", true),
            // Addresses.
            (
                "transport.tcp",
                "build.example.com:1234",
                "BUILD.example.com.:1234",
                true,
            ),
            ("transport.tcp", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", true),
            ("transport.tcp", "[::ffff:10.0.0.1]:80", "10.0.0.1:80", true),
            ("transport.tcp", "[::1]:80", "[0:0:0:0:0:0:0:1]:80", true),
            ("transport.tcp", "127.0.0.1:80", "127.1:80", true),
            ("transport.tcp", "127.0.0.1:80", "0x7f000001:80", true),
            ("transport.tcp", "host:*", "host:1", true),
            ("transport.tcp", "host:80", "host:8080", false),
            (
                "transport.tcp",
                "*.example.com:80",
                "evil.test:1/.example.com:80",
                false,
            ),
            ("transport.tcp", "*.1:80", "127.0.0.1:80", false),
            // Control groups.
            ("container.cgroup-parent", "/iechor/*", "iechor/a", true),
            ("container.cgroup-parent", "iechor/*", "//iechor/./a", true),
            (
                "container.cgroup-parent",
                "/iechor/*",
                "/iechor/../a",
                false,
            ),
            // Words.
            ("container.network", "host", "host", true),
            ("container.network", "foo", "network foo", false),
            ("container.network", "container:*", "container:a", true),
            ("engine.open", "control", "session", false),
            ("container.devices", "device=0", "device=0,1", false),
        ] {
            let parsed = parse(capability, pattern).expect(pattern);
            assert_eq!(parsed.matches(subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn what_is_forbidden_covers_what_may_be_meant() {
        for (capability, pattern, subject, expected) in [
            ("image.pull", "evil/*", "cafe", true),
            ("image.pull", "evil/*", "moby/buildkit", false),
            ("container.bind", "/etc", "/", true),
            ("container.bind", "/etc/*", "volume x", true),
            ("container.bind", "/etc/*", "/srv/../etc", true),
            ("container.bind", "/etc", "/etcetera", false),
            ("container.bind", "*/docker.sock", "/run/docker.sock", true),
            ("transport.tcp", "127.0.0.1:*", "127.1:80", true),
            ("transport.tcp", "127.0.0.1:*", "not an address", true),
            ("transport.tcp", "127.0.0.1:*", "127.0.0.2:80", false),
            ("container.cgroup-parent", "/system", "system/a", true),
            ("container.cgroup-parent", "/system", "/user", false),
            ("container.devices", "all", "count=-1", true),
            ("container.devices", "device=0", "\"device=0,1\"", true),
            ("container.devices", "device=0", "2", true),
            ("container.devices", "/dev/fuse", "/dev/kvm", false),
            ("container.devices", "/dev/fuse", "/dev/fuse", true),
        ] {
            let parsed = parse(capability, pattern).expect(pattern);
            assert_eq!(parsed.may_match(subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn what_amounts_to_everything_is_known() {
        for (capability, patterns) in [
            (
                "image.pull",
                &[
                    "*",
                    "**",
                    "*/*",
                    "*/moby/buildkit:*",
                    "docker.io/*",
                    "docker.io/m*/buildkit",
                    "*.com/*",
                    "ghcr.io/*/buildkit:*",
                ][..],
            ),
            (
                "container.bind",
                &["*", "/*", "/e*", "*/x", "/*/a/b", "volume *"],
            ),
            ("transport.local", &["*", "/*", "**"]),
            ("transport.tcp", &["*", "*:*", "*:1234", "*.com:443"]),
            ("container.network", &["*", "h*", "*o*", "*:*"]),
            ("container.devices", &["*", "a*"]),
            ("container.cgroup-parent", &["*", "/*", "sys*"]),
            ("engine.open", &["*", "con*"]),
        ] {
            for pattern in patterns {
                let parsed = parse(capability, pattern).expect(pattern);
                assert!(parsed.is_everything(), "{capability} {pattern}");
            }
        }
        for (capability, patterns) in [
            (
                "image.pull",
                &[
                    "moby/buildkit:*",
                    "moby/*",
                    "registry.example.com/*",
                    "*.example.com/*",
                    "docker.io/moby/*",
                    "buildkit*",
                ][..],
            ),
            ("container.bind", &["/srv/*", "/srv", "volume buildx_*"]),
            (
                "transport.tcp",
                &["host:*", "*.example.com:1", "endpoint", "10.0.0.1:*"],
            ),
            (
                "container.network",
                &["host", "container:*", "network buildx_*"],
            ),
            ("container.cgroup-parent", &["/iechor/*"]),
        ] {
            for pattern in patterns {
                let parsed = parse(capability, pattern).expect(pattern);
                assert!(!parsed.is_everything(), "{capability} {pattern}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let long = "a".repeat(PATTERN_CHARS + 1);
        for (capability, pattern) in [
            ("image.pull", ""),
            ("image.pull", "a b"),
            ("image.pull", "a*.example.com/x"),
            ("image.pull", "*:*"),
            ("image.pull", "buildkit\u{202e}:*"),
            ("image.pull", "build\u{200b}kit"),
            ("image.pull", "a*b*c*d*e*f"),
            ("image.pull", &long),
            ("image.pull", "endpoint:"),
            ("container.bind", "srv"),
            ("container.bind", "/srv/../etc"),
            ("container.bind", "/srv//x"),
            ("container.bind", "/srv/./x"),
            ("container.bind", "volume "),
            ("container.bind", "volume a/b"),
            ("container.bind", "endpoint"),
            ("transport.tcp", "host"),
            ("transport.tcp", "host:"),
            ("transport.tcp", "host:http"),
            ("transport.tcp", "host:70000"),
            ("transport.tcp", "h*st:80"),
            ("transport.tcp", "::1:80"),
            ("transport.tcp", "a/b:80"),
            ("transport.tcp", "b\u{fc}ild:80"),
            ("container.network", "a b"),
            ("container.network", "network a b"),
            ("container.network", "h\u{43e}st"),
            ("container.cgroup-parent", "/a/../b"),
            ("container.devices", "device=0\n"),
        ] {
            let said = parse(capability, pattern).expect_err(pattern);
            assert!(said.contains(capability), "{said}");
        }
    }
}
