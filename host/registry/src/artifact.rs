//! Names in OCI registries: `REGISTRY/REPOSITORY:TAG`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The tag of a name that has none.
const LATEST: &str = "latest";

/// A name in an OCI registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Host, with the port if there is one.
    pub registry: String,
    /// Path of the repository.
    pub repository: String,
    /// The tag, if the name has one.
    pub tag: Option<String>,
}

/// The reason why a text is not the name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The text has no `/`.
    #[error("it has no repository; the form is REGISTRY/REPOSITORY:TAG")]
    NoRepository,
    /// The part before the first `/` is not a host.
    #[error("{0:?} is not the name of a registry")]
    Registry(String),
    /// The path is invalid.
    #[error(
        "{0:?} is not the name of a repository (lower-case letters and digits, with . _ - / between \
         them)"
    )]
    Repository(String),
    /// The tag is invalid.
    #[error("{0:?} is not a tag")]
    Tag(String),
}

impl Artifact {
    /// Returns the tag, or `latest` if the name has none.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(LATEST)
    }

    /// Returns whether the registry is on this machine: `localhost`, `127.0.0.0/8` or `[::1]`. Requests
    /// to such a registry use no TLS. Requests to all others require TLS.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.registry)
    }
}

impl FromStr for Artifact {
    type Err = ArtifactError;

    fn from_str(text: &str) -> Result<Self, ArtifactError> {
        let (registry, path) = text.split_once('/').ok_or(ArtifactError::NoRepository)?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let of_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if registry.is_empty() || !registry.chars().all(of_host) {
            return Err(ArtifactError::Registry(registry.to_owned()));
        }
        let of_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let right = |part: &str| {
            part.starts_with(edge) && part.ends_with(edge) && part.chars().all(of_path)
        };
        if !repository.split('/').all(right) {
            return Err(ArtifactError::Repository(repository.to_owned()));
        }
        let of_tag = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if let Some(tag) = tag
            && (tag.is_empty()
                || tag.len() > 128
                || tag.starts_with(['.', '-'])
                || !tag.chars().all(of_tag))
        {
            return Err(ArtifactError::Tag(tag.to_owned()));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
        })
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        match &self.tag {
            Some(tag) => write!(formatter, ":{tag}"),
            None => Ok(()),
        }
    }
}

/// Returns whether a host, with or without a port, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_written_the_same() {
        for (text, registry, repository, tag) in [
            ("ghcr.io/a/b:1.0", "ghcr.io", "a/b", Some("1.0")),
            ("host/b", "host", "b", None),
            (
                "127.0.0.1:5000/a_b/c:t",
                "127.0.0.1:5000",
                "a_b/c",
                Some("t"),
            ),
        ] {
            let artifact: Artifact = text.parse().expect("a name");
            assert_eq!(artifact.registry, registry, "{text}");
            assert_eq!(artifact.repository, repository, "{text}");
            assert_eq!(artifact.tag.as_deref(), tag, "{text}");
            assert_eq!(artifact.to_string(), text);
        }
        for (text, words) in [
            ("host", "no repository"),
            ("/a", "name of a registry"),
            ("u@h/a", "name of a registry"),
            ("h/A", "name of a repository"),
            ("h/a//b", "name of a repository"),
            ("h/../b", "name of a repository"),
            ("h/a:", "not a tag"),
            ("h/a:b/c", "not a tag"),
        ] {
            let error = text.parse::<Artifact>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "ghcr.io",
            "localhost.example",
            "10.0.0.1:5000",
            "[::2]:1",
            "128.0.0.1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
