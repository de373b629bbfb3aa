//! Image references: the grammar ([`image_reference`]), and the parts of a reference with their defaults
//! ([`Reference`]). Both split a reference in the same way.

mod grammar;

use std::error::Error;
use std::fmt;

use crate::hex;

pub use grammar::image_reference;

/// Maximum size of a reference, in bytes. Registries allow 255 for the name and 128 for a tag.
const LONGEST: usize = 1024;

/// The registry of a reference without a host.
const HUB: &str = "docker.io";
/// An older name of [`HUB`], which engines replace.
const HUB_INDEX: &str = "index.docker.io";

/// The parts of a reference as they are written.
struct Parts<'a> {
    /// Everything before tag and digest.
    name: &'a str,
    /// Host and optional port.
    host: Option<&'a str>,
    /// The name without the host.
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// Splits a reference by the rules of `distribution/reference`, without checking the parts.
fn split(reference: &str) -> Parts<'_> {
    let (tagged, digest) = match reference.split_once('@') {
        Some((tagged, digest)) => (tagged, Some(digest)),
        None => (reference, None),
    };
    // A colon after the last slash begins a tag; a colon before it begins a port.
    let (name, tag) = match tagged.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (tagged, None),
    };
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if is_host(host) => (Some(host), path),
        _ => (None, name),
    };
    Parts {
        name,
        host,
        path,
        tag,
        digest,
    }
}

/// Returns whether the first component of a name is the host of a registry rather than a part of the path, by
/// the rule of `distribution/reference`: it has a `.`, a `:` or an upper-case letter, or is `localhost`.
pub fn is_host(component: &str) -> bool {
    component.contains(['.', ':'])
        || component == "localhost"
        || component.chars().any(char::is_uppercase)
}

/// The parts of an image reference, with the defaults of engines.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Host and optional port; `docker.io` for Docker Hub.
    pub registry: &'a str,
    /// The reference as it was written, without tag and digest.
    pub name: &'a str,
    /// The digest, or else the tag, or else `latest`.
    pub version: &'a str,
}

/// The error for a text that is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidReference(pub String);

impl fmt::Display for InvalidReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not the name of an image", self.0)
    }
}

impl Error for InvalidReference {}

impl From<InvalidReference> for String {
    fn from(error: InvalidReference) -> Self {
        error.to_string()
    }
}

impl<'a> Reference<'a> {
    /// Splits a reference by the rules of `distribution/reference`. Does not check whether it is valid;
    /// [`Reference::check`] does.
    pub fn parse(reference: &'a str) -> Self {
        let parts = split(reference);
        Self {
            registry: match parts.host {
                None | Some(HUB_INDEX) => HUB,
                Some(host) => host,
            },
            name: parts.name,
            version: parts.digest.or(parts.tag).unwrap_or("latest"),
        }
    }

    /// Returns the canonical form, which is equal for two references of the same image.
    pub fn canonical(&self) -> String {
        let path = match self.name.split_once('/') {
            Some((host, path)) if host == self.registry || host == HUB_INDEX => path,
            _ => self.name,
        };
        let library = if self.registry == HUB && !path.contains('/') {
            "library/"
        } else {
            ""
        };
        let mark = if self.version.contains(':') { '@' } else { ':' };
        format!("{}/{library}{path}{mark}{}", self.registry, self.version)
    }

    /// Splits a reference after checking that it is safe to pass on: every part begins with a letter or digit, so
    /// no part is empty or `..`. Less strict than the grammar ([`image_reference`]): the engine decides the rest.
    ///
    /// # Errors
    ///
    /// [`InvalidReference`].
    pub fn check(reference: &'a str) -> Result<Self, InvalidReference> {
        let usual = |c: char| c.is_ascii_alphanumeric() || "._-:/@[]".contains(c);
        let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
        let (first, rest) = reference.split_once('/').unwrap_or((reference, "a"));
        // `[` begins an IPv6 address of a registry, before a path.
        let is_address = first.starts_with('[') && first.len() < reference.len();
        let digest_is_last = !reference
            .split_once('@')
            .is_some_and(|(_, digest)| digest.contains(['/', '@']));
        let in_order = reference.len() <= LONGEST
            && digest_is_last
            && reference.chars().all(usual)
            && (begins(first) || is_address)
            && rest.split(['/', '@']).all(begins)
            && !reference.ends_with([':', '@', '/']);
        if in_order {
            Ok(Self::parse(reference))
        } else {
            Err(InvalidReference(reference.to_owned()))
        }
    }

    /// Returns whether an engine may take a reference for the beginning of an image's ID, which does
    /// not tell where the image comes from: `sha256:0123`, and any name of hexadecimal digits only.
    pub fn may_be_id(reference: &str) -> bool {
        // The engine accepts the beginning of the algorithm's name, too.
        let (algorithm, digits) = reference.split_once(':').unwrap_or(("", reference));
        "sha256".starts_with(algorithm) && hex::is_hex(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let pinned = format!("moby/buildkit:buildx-stable-1@{digest}");
        for (text, registry, name, version) in [
            ("busybox", "docker.io", "busybox", "latest"),
            ("moby/buildkit:v0.1", "docker.io", "moby/buildkit", "v0.1"),
            (pinned.as_str(), "docker.io", "moby/buildkit", digest),
            ("localhost/a", "localhost", "localhost/a", "latest"),
            (
                "localhost:5000/a/b",
                "localhost:5000",
                "localhost:5000/a/b",
                "latest",
            ),
            ("ghcr.io/a/b:c", "ghcr.io", "ghcr.io/a/b", "c"),
            (
                "index.docker.io/library/a",
                "docker.io",
                "index.docker.io/library/a",
                "latest",
            ),
            ("a:5000", "docker.io", "a", "5000"),
        ] {
            let expected = Reference {
                registry,
                name,
                version,
            };
            assert_eq!(Reference::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn one_way_to_write_it() {
        let canonical = |text| Reference::parse(text).canonical();
        for text in [
            "busybox",
            "busybox:latest",
            "library/busybox",
            "docker.io/busybox",
            "docker.io/library/busybox",
            "index.docker.io/library/busybox:latest",
        ] {
            assert_eq!(
                canonical(text),
                "docker.io/library/busybox:latest",
                "{text}"
            );
        }
        assert_eq!(canonical("localhost:5/a"), "localhost:5/a:latest");
        assert_eq!(canonical("a/b@sha256:1"), "docker.io/a/b@sha256:1");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let digest = format!("a/b@sha256:{}", "0".repeat(64));
        for text in [
            "busybox",
            "moby/buildkit:v1",
            "localhost:5000/a/b",
            "[::1]:5000/a",
            &digest,
            "sha256:0123",
        ] {
            assert!(Reference::check(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "..",
            "a/../b",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a@",
            "a b",
            "a?b=c",
            "a#b",
            "a@b/c",
            "a%2e",
            "a\n",
            "-a",
            "a/-b",
            "a/.b",
            &"a".repeat(2000),
        ] {
            assert!(Reference::check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_may_be_an_id() {
        for text in ["sha256:0123", "0123", "cafe", "sha:dead", "s:1", ":0"] {
            assert!(Reference::may_be_id(text), "{text}");
        }
        for text in [
            "busybox",
            "docker.io/library/cafe",
            "cafe:v1",
            "a@sha256:0123",
            "sha256:xyz",
        ] {
            assert!(!Reference::may_be_id(text), "{text}");
        }
    }
}
