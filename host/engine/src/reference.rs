//! Names of images.

/// An image's name in parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Host, and port where it has one; `docker.io` for Docker Hub.
    pub(crate) registry: &'a str,
    /// All but tag and digest, as it was written.
    pub(crate) name: &'a str,
    /// The digest, else the tag, else `latest`.
    pub(crate) version: &'a str,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart, by the rules of `distribution/reference`. The engine checks it.
    pub(crate) fn parse(reference: &'a str) -> Self {
        let (tagged, digest) = match reference.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (reference, None),
        };
        // A colon behind the last slash begins a tag; one before it, a port.
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

    /// The one way to write it: two references that mean the same image are equal in it.
    pub(crate) fn canonical(&self) -> String {
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
}
