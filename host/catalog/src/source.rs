//! Sources of drivers.
//!
//! | Source | Digest |
//! |---|---|
//! | `./driver.wasm`, `dist/` | optional; digest of the component |
//! | `https://host/driver.wasm@sha256:...` | required; digest of the component |
//! | `oci://registry/repository:tag` | optional; digest of the manifest, as usual for registries |
//!
//! `@sha256:...` may follow each of them; other content is then refused. The default tag is `latest`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use iechor_registry::{Artifact, ArtifactError, Digest, normal_address};

use crate::error::CatalogError;

const OCI: &str = "oci://";

/// A source of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The place.
    pub location: Location,
    /// The required digest.
    pub digest: Option<Digest>,
}

/// The location of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, or a directory with one component.
    Path(PathBuf),
    /// The address of a file on a web server, see [`normal_address`].
    Web(String),
    /// An artifact in an OCI registry.
    Registry(Artifact),
}

impl Source {
    /// Returns the source of a file or directory.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self {
            location: Location::Path(path.into()),
            digest: None,
        }
    }

    /// Returns the registry of the source, under the name of its credentials.
    pub fn registry(&self) -> Option<&str> {
        match &self.location {
            Location::Registry(artifact) => Some(&artifact.registry),
            Location::Path(_) | Location::Web(_) => None,
        }
    }

    /// Returns the same source, pinned to a digest.
    #[must_use]
    pub fn pinned_to(&self, digest: Digest) -> Self {
        Self {
            location: self.location.clone(),
            digest: Some(digest),
        }
    }

    /// Returns the same source with an absolute path.
    ///
    /// # Errors
    ///
    /// Returns an error if the path does not exist.
    pub fn absolute(self) -> Result<Self, CatalogError> {
        let Location::Path(path) = &self.location else {
            return Ok(self);
        };
        let absolute = path
            .canonicalize()
            .map_err(|error| unreadable(path, &error))?;
        Ok(Self {
            location: Location::Path(absolute),
            ..self
        })
    }
}

/// Returns the error of a path that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> CatalogError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.kind() {
        std::io::ErrorKind::NotFound => CatalogError::Missing { path, reason },
        _ => CatalogError::Unreadable { path, reason },
    }
}

impl FromStr for Source {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let wrong = |reason: String| CatalogError::Source {
            text: text.to_owned(),
            reason,
        };
        let (place, digest) = Digest::split_from(text)?;
        let location = match place.split_once("://") {
            None if place.is_empty() => return Err(wrong("it is empty".into())),
            None => Location::Path(place.into()),
            Some(("oci", rest)) => {
                let artifact = rest.parse().map_err(|error: ArtifactError| match error {
                    ArtifactError::NoRepository => wrong(format!(
                        "it has no repository; write {OCI}REGISTRY/REPOSITORY:TAG"
                    )),
                    other => wrong(other.to_string()),
                });
                Location::Registry(artifact?)
            }
            Some(("http" | "https", _)) => {
                let url = normal_address(place).map_err(wrong)?;
                if digest.is_none() {
                    return Err(wrong(
                        "the content of a web server can change: add @sha256:... (sha256sum shows \
                         the digest of a file)"
                            .into(),
                    ));
                }
                Location::Web(url)
            }
            Some((scheme, _)) => {
                return Err(wrong(format!(
                    "{scheme}:// is not supported; use {OCI}, https://, http:// or a path"
                )));
            }
        };
        Ok(Self { location, digest })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Path(path) => write!(formatter, "{}", path.display())?,
            Location::Web(url) => formatter.write_str(url)?,
            Location::Registry(artifact) => write!(formatter, "{OCI}{artifact}")?,
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn artifact(registry: &str, repository: &str, tag: Option<&str>) -> Location {
        Location::Registry(Artifact {
            registry: registry.into(),
            repository: repository.into(),
            tag: tag.map(str::to_owned),
        })
    }

    #[test]
    fn sources_are_parsed_and_written_the_same() {
        for (text, location, pinned) in [
            ("a.wasm", Location::Path("a.wasm".into()), false),
            ("./a@b/", Location::Path("./a@b/".into()), false),
            (
                "https://h:1/p/a.wasm?q",
                Location::Web("https://h:1/p/a.wasm?q".into()),
                true,
            ),
            ("http://h/a", Location::Web("http://h/a".into()), true),
            (
                "oci://ghcr.io/a/b:1.0",
                artifact("ghcr.io", "a/b", Some("1.0")),
                false,
            ),
            ("oci://host/b", artifact("host", "b", None), true),
            (
                "oci://127.0.0.1:5000/a_b/c:t",
                artifact("127.0.0.1:5000", "a_b/c", Some("t")),
                true,
            ),
        ] {
            let text = if pinned {
                format!("{text}@{DIGEST}")
            } else {
                text.to_owned()
            };
            let source: Source = text.parse().expect("a source");
            assert_eq!(source.location, location, "{text}");
            assert_eq!(source.digest.is_some(), pinned, "{text}");
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn an_address_is_kept_as_it_is_fetched() {
        for (text, fetched) in [
            ("http://H.Example:80", "http://h.example/"),
            ("https://h:443/./a/../b", "https://h/b"),
            ("http://h?x.example.com/a", "http://h/?x.example.com/a"),
            ("http://h/team/x@sha256:/../../b", "http://h/b"),
            ("http://h/a b", "http://h/a%20b"),
            ("http://h/a?%2e", "http://h/a?%2e"),
        ] {
            let source: Source = format!("{text}@{DIGEST}").parse().expect("a source");
            assert_eq!(source.location, Location::Web(fetched.into()), "{text}");
            let again: Source = source.to_string().parse().expect("a source");
            assert_eq!(again, source, "{text}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let at = |place: &str| format!("{place}@{DIGEST}");
        for (text, words) in [
            (String::new(), "it is empty"),
            ("https://h/a".into(), "add @sha256:"),
            ("http://h/a".into(), "add @sha256:"),
            ("https://h/a@sha256:12".into(), "64 hexadecimal digits"),
            ("https://h/a@sha256:12/b".into(), "add @sha256:"),
            (at("https://u:p@h/a"), "user or password"),
            (at("https://u@h/a"), "user or password"),
            (at("https://h/a/..\\b"), "backslash"),
            (at("https://h\\x.example/a"), "backslash"),
            (at("https://h#x.example/a"), "a fragment"),
            (at("https://h/a/%2e%2e/b"), "must not be encoded"),
            (at("https://h/a/.%2E/b"), "must not be encoded"),
            (at("https://h/a%2Fb"), "must not be encoded"),
            (at("https://h/a%5cb"), "must not be encoded"),
            (at("https://h/a/%2\te/b"), "control characters"),
            ("ftp://h/a".into(), "ftp:// is not supported"),
            ("oci://host".into(), "no repository"),
            ("oci:///a".into(), "name of a registry"),
            ("oci://h/A".into(), "name of a repository"),
            ("oci://h/a//b".into(), "name of a repository"),
            ("oci://h/../b".into(), "name of a repository"),
            ("oci://h/a:".into(), "not a tag"),
            ("oci://h/a:b/c".into(), "not a tag"),
            ("oci://u@h/a".into(), "name of a registry"),
        ] {
            let error = text.parse::<Source>().expect_err(&text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
