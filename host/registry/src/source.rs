//! What a user writes to say where a driver is.
//!
//! | source | digest |
//! |---|---|
//! | `./driver.wasm`, `dist/` | may be given; of the component |
//! | `https://host/driver.wasm@sha256:...` | must be given; of the component |
//! | `oci://registry/repository:tag` | may be given; of the manifest, as registries do |
//!
//! `@sha256:...` stands behind all of them, and means the same everywhere: this and nothing else.
//! A tag that is left out is `latest`.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::RegistryError;

const OCI: &str = "oci://";
const LATEST: &str = "latest";

/// Where a driver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The place.
    pub location: Location,
    /// What has to be there.
    pub digest: Option<Digest>,
}

/// The place of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, or a directory with one component in it.
    Path(PathBuf),
    /// The address of a file at a web server, as it is asked for: a source that is parsed has its
    /// host in small letters, and no `..` or port that goes without saying.
    Web(String),
    /// An artifact of an OCI registry.
    Registry(Artifact),
}

/// A name in an OCI registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Host, and port where it has one.
    pub registry: String,
    /// Path of the repository.
    pub repository: String,
    /// The tag, where one was given.
    pub tag: Option<String>,
}

impl Artifact {
    /// The tag, or the one that a name without a tag means.
    pub fn tag_or_latest(&self) -> &str {
        self.tag.as_deref().unwrap_or(LATEST)
    }

    /// Whether the registry is on this machine: `localhost`, `127.0.0.0/8` or `[::1]`. Such a one
    /// is spoken to without TLS, all others only with it.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.registry)
    }

    fn parse(rest: &str) -> Result<Self, String> {
        let (registry, path) = rest
            .split_once('/')
            .ok_or("it has no repository; write oci://REGISTRY/REPOSITORY:TAG")?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let of_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if registry.is_empty() || !registry.chars().all(of_host) {
            return Err(format!("{registry:?} is not the name of a registry"));
        }
        let of_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let right = |part: &str| {
            part.starts_with(edge) && part.ends_with(edge) && part.chars().all(of_path)
        };
        if !repository.split('/').all(right) {
            return Err(format!(
                "{repository:?} is not the name of a repository (small letters, digits, and \
                 . _ - / between them)"
            ));
        }
        let of_tag = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if let Some(tag) = tag
            && (tag.is_empty()
                || tag.len() > 128
                || tag.starts_with(['.', '-'])
                || !tag.chars().all(of_tag))
        {
            return Err(format!("{tag:?} is not a tag"));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
        })
    }
}

/// Whether that host, with a port or without, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Source {
    /// A file or directory.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self {
            location: Location::Path(path.into()),
            digest: None,
        }
    }

    /// The registry that it is in, by the name that credentials are filed under.
    pub fn registry(&self) -> Option<&str> {
        match &self.location {
            Location::Registry(artifact) => Some(&artifact.registry),
            Location::Path(_) | Location::Web(_) => None,
        }
    }

    /// The same source, pinned to that digest.
    #[must_use]
    pub fn pinned_to(&self, digest: Digest) -> Self {
        Self {
            location: self.location.clone(),
            digest: Some(digest),
        }
    }

    /// The same source wherever the process works: a path is made absolute.
    ///
    /// # Errors
    ///
    /// Where there is no such path.
    pub fn absolute(self) -> Result<Self, RegistryError> {
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

/// The address that is fetched for that text, so that it is also what is kept, shown and held
/// against policies. What readers of addresses disagree about is refused.
fn address(text: &str) -> Result<String, String> {
    const ENCODED: [&str; 3] = ["%2e", "%2f", "%5c"];
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    let (path, _) = text.split_once('?').unwrap_or((text, ""));
    let path = path.to_ascii_lowercase();
    let fault = if !url.username().is_empty() || url.password().is_some() {
        "an address with a user or password would be kept and shown"
    } else if text.contains(char::is_control) {
        "an address has no control characters"
    } else if text.contains('\\') {
        "an address has / and never a backslash"
    } else if url.fragment().is_some() {
        "a fragment (behind #) is not sent to the server; write %23 for a # in a name"
    } else if ENCODED.iter().any(|encoded| path.contains(encoded)) {
        "dots and slashes in a path must not be encoded (%2e, %2f, %5c)"
    } else {
        return Ok(url.into());
    };
    Err(fault.into())
}

/// What the system says of a path, with what may have been meant.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> RegistryError {
    let mut reason = error.to_string();
    if error.kind() == std::io::ErrorKind::NotFound {
        reason += "; a driver in a registry is written oci://REGISTRY/REPOSITORY:TAG";
    }
    RegistryError::Disk {
        path: path.to_owned(),
        reason,
    }
}

impl FromStr for Source {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let wrong = |reason: String| RegistryError::Source {
            text: text.to_owned(),
            reason,
        };
        let (place, digest) = Digest::split_from(text)?;
        let location = match place.split_once("://") {
            None if place.is_empty() => return Err(wrong("it is empty".into())),
            None => Location::Path(place.into()),
            Some(("oci", rest)) => Location::Registry(Artifact::parse(rest).map_err(wrong)?),
            Some(("http" | "https", _)) => {
                let url = address(place).map_err(wrong)?;
                if digest.is_none() {
                    return Err(wrong(
                        "a web server may answer with anything: add @sha256:... (sha256sum shows \
                         the digest of a file)"
                            .into(),
                    ));
                }
                Location::Web(url)
            }
            Some((scheme, _)) => {
                return Err(wrong(format!(
                    "there is no {scheme}://; there are {OCI}, https://, http:// and paths"
                )));
            }
        };
        Ok(Self { location, digest })
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
            ("ftp://h/a".into(), "there is no ftp://"),
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
