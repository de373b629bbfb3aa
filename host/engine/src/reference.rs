//! References of images. This is the host's only parser of them.

/// Maximum size of a reference, in bytes. Registries allow 255 for the name and 128 for a tag.
const LONGEST: usize = 1024;

/// The parts of an image's reference.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Host and optional port; `docker.io` for Docker Hub.
    pub registry: &'a str,
    /// The reference as it was written, without tag and digest.
    pub name: &'a str,
    /// The digest, or else the tag, or else `latest`.
    pub version: &'a str,
}

/// A text that is not the reference of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of an image")]
pub struct InvalidReference(pub String);

impl From<InvalidReference> for String {
    fn from(error: InvalidReference) -> Self {
        error.to_string()
    }
}

impl<'a> Reference<'a> {
    /// Splits a reference by the rules of `distribution/reference`. Does not check whether it is valid;
    /// [`Reference::check`] does.
    pub fn parse(reference: &'a str) -> Self {
        let (tagged, digest) = match reference.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (reference, None),
        };
        // A colon after the last slash begins a tag; a colon before it begins a port.
        let (name, tag) = match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (tagged, None),
        };
        let registry = match name.split_once('/') {
            Some((host, _))
                if host.contains(['.', ':'])
                    || host == "localhost"
                    || host.chars().any(char::is_uppercase) =>
            {
                host
            }
            _ => "docker.io",
        };
        Self {
            registry: match registry {
                "index.docker.io" => "docker.io",
                other => other,
            },
            name,
            version: digest.or(tag).unwrap_or("latest"),
        }
    }

    /// Returns the canonical form, which is equal for two references of the same image.
    pub fn canonical(&self) -> String {
        let path = match self.name.split_once('/') {
            Some((host, path)) if host == self.registry || host == "index.docker.io" => path,
            _ => self.name,
        };
        let library = if self.registry == "docker.io" && !path.contains('/') {
            "library/"
        } else {
            ""
        };
        let mark = if self.version.contains(':') { '@' } else { ':' };
        format!("{}/{library}{path}{mark}{}", self.registry, self.version)
    }

    /// Splits a reference after checking it: every part begins with a letter or digit, so no part is
    /// empty or `..`.
    ///
    /// # Errors
    ///
    /// [`InvalidReference`].
    pub fn check(reference: &'a str) -> Result<Self, InvalidReference> {
        let usual = |c: char| c.is_ascii_alphanumeric() || "._-:/@[]".contains(c);
        let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
        let (first, rest) = reference.split_once('/').unwrap_or((reference, "a"));
        // `[` begins an IPv6 address of a registry.
        let digest_is_last = !reference
            .split_once('@')
            .is_some_and(|(_, digest)| digest.contains(['/', '@']));
        let in_order = reference.len() <= LONGEST
            && digest_is_last
            && reference.chars().all(usual)
            && (begins(first) || first.starts_with('['))
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
        "sha256".starts_with(algorithm)
            && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
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
