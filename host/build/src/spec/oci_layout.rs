//! Images in directories with an OCI layout: `PATH[:TAG][@DIGEST]`.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use iechor_registry::Digest;
use iechor_registry::digest::DigestError;

/// The longest tag, in characters.
const LONGEST_TAG: usize = 128;

/// An image in a directory with an OCI layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciLayout {
    /// The directory.
    pub path: PathBuf,
    /// The tag or the name of the image in the index; `None` for `latest`.
    pub tag: Option<String>,
    /// The digest of the manifest or index; `None` to look it up by the tag.
    pub digest: Option<Digest>,
}

/// The reason why a text is not an image in an OCI layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OciLayoutError {
    /// The directory is missing.
    #[error("the directory is missing")]
    NoPath,
    /// The text after `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl OciLayout {
    /// The beginning of a named context that is an OCI layout.
    pub const PREFIX: &'static str = "oci-layout://";

    /// Parses `PATH[:TAG][@DIGEST]`, without [`PREFIX`](Self::PREFIX). As in docker buildx, `:` and `@` may be
    /// a part of the path if no tag or digest follows.
    ///
    /// # Errors
    ///
    /// Returns an error if the path is empty or the digest is invalid.
    pub fn parse(text: impl AsRef<OsStr>) -> Result<Self, OciLayoutError> {
        let text = text.as_ref();
        // Tags and digests are ASCII, so a text that is not Unicode is taken as a path.
        let Some(text) = text.to_str() else {
            return Ok(Self {
                path: text.into(),
                tag: None,
                digest: None,
            });
        };
        let (text, digest) = Digest::split_from(text)?;
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
            _ => (text, None),
        };
        if path.is_empty() {
            return Err(OciLayoutError::NoPath);
        }
        Ok(Self {
            path: path.into(),
            tag,
            digest,
        })
    }
}

impl fmt::Display for OciLayout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", Self::PREFIX, self.path.display())?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Returns whether a text is a tag of an image.
fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(is_word)
        && text.len() <= LONGEST_TAG
        && text.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_tag_and_a_digest_are_optional() {
        let digest = || Some(DIGEST.parse().expect("a digest"));
        for (text, path, tag, digest) in [
            ("out".to_owned(), "out", None, None),
            ("/a/b:v1".to_owned(), "/a/b", Some("v1"), None),
            (format!("out@{DIGEST}"), "out", None, digest()),
            (format!("out:v1@{DIGEST}"), "out", Some("v1"), digest()),
            // A part of the path.
            ("a:b/c".to_owned(), "a:b/c", None, None),
            ("user@host/c".to_owned(), "user@host/c", None, None),
            ("a:-b".to_owned(), "a:-b", None, None),
        ] {
            let expected = OciLayout {
                path: path.into(),
                tag: tag.map(str::to_owned),
                digest,
            };
            assert_eq!(expected.to_string(), format!("oci-layout://{text}"));
            assert_eq!(OciLayout::parse(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_found() {
        for text in ["", ":v1", &format!("@{DIGEST}")] {
            assert_eq!(
                OciLayout::parse(text),
                Err(OciLayoutError::NoPath),
                "{text}"
            );
        }
        let error = OciLayout::parse("out@sha256:12").expect_err("too short");
        assert!(error.to_string().contains("is not a digest"), "{error}");
    }
}
