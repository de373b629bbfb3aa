//! The sources of the files of a build: the context, the Dockerfile and named contexts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use iechor_values::image::image_reference;

use super::error::SpecError;
use super::oci_layout::{OciLayout, OciLayoutError};
use super::url;

/// The source of the files of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A local directory.
    Directory(PathBuf),
    /// A URL that BuildKit fetches. A local directory of the same name takes precedence, as in
    /// docker buildx.
    Remote(String),
    /// An archive or a Dockerfile on standard input.
    StandardInput,
}

/// The Dockerfile of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Dockerfile {
    /// The default Dockerfile of the context.
    #[default]
    Default,
    /// A file: a local one if the context is a directory, else a path in the context.
    File(PathBuf),
    /// A URL that BuildKit fetches.
    Remote(String),
    /// Standard input.
    StandardInput,
}

/// A further context, which a Dockerfile refers to by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContext {
    /// The name in its short form: without the default registry and the default tag.
    pub name: String,
    /// The source of its files.
    pub source: NamedSource,
}

/// The source of the files of a named context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedSource {
    /// A local directory.
    Directory(PathBuf),
    /// A URL that BuildKit fetches.
    Remote(String),
    /// An image in a registry, `docker-image://REFERENCE`, or another target, `target:NAME`. BuildKit
    /// resolves the first; the second has a meaning in definition files only.
    Resolved(String),
    /// An image in a local directory with an OCI layout.
    OciLayout(OciLayout),
}

impl Context {
    /// Parses a context: a directory, a URL, or `-` for standard input.
    ///
    /// # Errors
    ///
    /// Returns an error if the context is empty.
    pub fn parse(text: &OsStr) -> Result<Self, SpecError> {
        match text.to_str() {
            Some("") => Err(SpecError::NoContext),
            Some("-") => Ok(Self::StandardInput),
            Some(url) if url::is_remote(url) => Ok(Self::Remote(url.to_owned())),
            _ => Ok(Self::Directory(text.into())),
        }
    }
}

impl Dockerfile {
    /// Parses the name of a Dockerfile: a path, an HTTP URL, or `-` for standard input. An empty name is
    /// the default Dockerfile.
    pub fn parse(text: &OsStr) -> Self {
        match text.to_str() {
            Some("") => Self::Default,
            Some("-") => Self::StandardInput,
            Some(url) if url::is_http(url) => Self::Remote(url.to_owned()),
            _ => Self::File(text.into()),
        }
    }
}

impl NamedContext {
    /// Parses `NAME=SOURCE`.
    ///
    /// # Errors
    ///
    /// Returns all faults: there is no `=`, the name is not an image reference, or the OCI layout is not one.
    pub fn parse(text: &OsStr) -> Result<Self, Vec<SpecError>> {
        let bytes = text.as_bytes();
        let whole = || text.to_string_lossy().into_owned();
        let Some(at) = bytes.iter().position(|byte| *byte == b'=') else {
            return Err(vec![SpecError::NamedContext { text: whole() }]);
        };
        let name = short_name(&String::from_utf8_lossy(&bytes[..at]));
        let source = NamedSource::parse(OsStr::from_bytes(&bytes[at + 1..]));
        let source = source.map_err(|problem| SpecError::OciLayout {
            text: whole(),
            problem,
        });
        match (name, source) {
            (Ok(name), Ok(source)) => Ok(Self { name, source }),
            (name, source) => Err(name.err().into_iter().chain(source.err()).collect()),
        }
    }
}

impl NamedSource {
    fn parse(source: &OsStr) -> Result<Self, OciLayoutError> {
        let is_resolved =
            |text: &str| text.starts_with("docker-image://") || text.starts_with("target:");
        match source.to_str() {
            Some(url) if url::is_remote(url) => return Ok(Self::Remote(url.to_owned())),
            Some(text) if is_resolved(text) => return Ok(Self::Resolved(text.to_owned())),
            _ => {}
        }
        Ok(
            match source.as_bytes().strip_prefix(OciLayout::PREFIX.as_bytes()) {
                Some(layout) => Self::OciLayout(OciLayout::parse(OsStr::from_bytes(layout))?),
                None => Self::Directory(source.into()),
            },
        )
    }
}

/// Returns the short form of the name of a context, as `distribution/reference` defines it.
fn short_name(name: &str) -> Result<String, SpecError> {
    if image_reference(name).is_err() {
        return Err(SpecError::ContextName {
            name: name.to_owned(),
        });
    }
    let mut short = name;
    for registry in ["docker.io/", "index.docker.io/"] {
        short = short.strip_prefix(registry).unwrap_or(short);
    }
    let has_registry =
        short.len() == name.len() && iechor_values::image::is_host(first_part(short));
    match short.strip_prefix("library/") {
        Some(rest) if !has_registry && !rest.contains('/') => short = rest,
        _ => {}
    }
    Ok(short.strip_suffix(":latest").unwrap_or(short).to_owned())
}

fn first_part(name: &str) -> &str {
    name.split_once('/').map_or("", |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(text: &str) -> Result<Context, SpecError> {
        Context::parse(OsStr::new(text))
    }

    #[test]
    fn contexts_are_directories_urls_or_standard_input() {
        let url = "https://example.com/repo.git#main:sub";
        assert_eq!(context(url), Ok(Context::Remote(url.into())));
        assert_eq!(context("a/b"), Ok(Context::Directory("a/b".into())));
        assert_eq!(context(""), Err(SpecError::NoContext));
        assert_eq!(context("-"), Ok(Context::StandardInput));
        let bytes = OsStr::from_bytes(b"https://\xff");
        assert_eq!(Context::parse(bytes), Ok(Context::Directory(bytes.into())));
    }

    #[test]
    fn dockerfiles_are_files_urls_or_standard_input() {
        let parse = |text: &str| Dockerfile::parse(OsStr::new(text));
        assert_eq!(parse(""), Dockerfile::Default);
        assert_eq!(parse("-"), Dockerfile::StandardInput);
        assert_eq!(parse("a/b"), Dockerfile::File("a/b".into()));
        let url = "https://example.com/Dockerfile";
        assert_eq!(parse(url), Dockerfile::Remote(url.into()));
    }

    #[test]
    fn named_contexts_have_a_kind() {
        let parse =
            |text: &str| NamedContext::parse(OsStr::new(text)).map(|context| context.source);
        assert_eq!(parse("a=../b"), Ok(NamedSource::Directory("../b".into())));
        assert_eq!(parse("a=b=c"), Ok(NamedSource::Directory("b=c".into())));
        for text in ["docker-image://alpine", "target:base"] {
            let expected = NamedSource::Resolved(text.into());
            assert_eq!(parse(&format!("a={text}")), Ok(expected));
        }
        let url = "https://example.com/repo.git";
        assert_eq!(
            parse(&format!("a={url}")),
            Ok(NamedSource::Remote(url.into()))
        );
        let layout = OciLayout {
            path: "dir".into(),
            tag: Some("1".into()),
            digest: None,
        };
        let parsed = parse("a=oci-layout://dir:1");
        assert_eq!(parsed, Ok(NamedSource::OciLayout(layout)));
        assert!(parse("a=oci-layout://").is_err());
        let bytes = OsStr::from_bytes(b"a=\xff");
        let parsed = NamedContext::parse(bytes).expect("read");
        let expected = OsStr::from_bytes(b"\xff");
        assert_eq!(parsed.source, NamedSource::Directory(expected.into()));
    }

    #[test]
    fn names_are_shortened() {
        for (name, expected) in [
            ("base", "base"),
            ("alpine:latest", "alpine"),
            ("alpine:3.20", "alpine:3.20"),
            ("docker.io/library/alpine", "alpine"),
            ("index.docker.io/library/alpine:latest", "alpine"),
            ("library/alpine", "alpine"),
            ("docker.io/moby/buildkit:latest", "moby/buildkit"),
            ("localhost:5000/library/a", "localhost:5000/library/a"),
            ("ghcr.io/o/n:v1", "ghcr.io/o/n:v1"),
        ] {
            assert_eq!(short_name(name).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn mistakes_have_the_texts_of_docker_buildx() {
        for (text, expected) in [
            (
                "noequals",
                "invalid context value: noequals, expected key=value",
            ),
            ("=x", "invalid context name : invalid reference format"),
            (
                "Bad=x",
                "invalid context name Bad: invalid reference format",
            ),
            (
                "a b=x",
                "invalid context name a b: invalid reference format",
            ),
        ] {
            let errors = NamedContext::parse(OsStr::new(text)).expect_err(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].to_string().starts_with(expected), "{errors:?}");
        }
        let errors = NamedContext::parse(OsStr::new("Bad=oci-layout://"));
        assert_eq!(errors.expect_err("two").len(), 2);
    }
}
