//! Pure functions that parse settings which command lines and definition files have in common.

use std::path::{Path, PathBuf};

use iechor_platform::Platform;
use iechor_values::csv;

use super::annotation::Annotation;
use super::error::{OutputProblem, SpecError};
use super::exporter::{Exporter, Fields};
use super::oci_layout::{OciLayout, OciLayoutError};
pub use super::value::boolean;
use super::{Context, Tag};

/// Prefixes of contexts that are URLs.
const URL_PREFIXES: [&str; 6] = [
    "http://",
    "https://",
    "git://",
    "ssh://",
    "git@",
    "github.com/",
];

/// Parses a context: a directory or a URL.
///
/// # Errors
///
/// Returns an error if the context is empty or standard input.
pub fn context(text: &str) -> Result<Context, SpecError> {
    match text {
        "" => Err(SpecError::NoContext),
        "-" => Err(SpecError::StandardInput),
        url if URL_PREFIXES.iter().any(|prefix| url.starts_with(prefix)) => {
            Ok(Context::Remote(url.to_owned()))
        }
        directory => Ok(Context::Directory(directory.into())),
    }
}

/// Parses the path of a Dockerfile.
///
/// # Errors
///
/// Returns an error if it is standard input.
pub fn dockerfile(path: &Path) -> Result<PathBuf, SpecError> {
    match path == Path::new("-") {
        true => Err(SpecError::StandardInput),
        false => Ok(path.to_owned()),
    }
}

/// Parses `KEY=VALUE`, or `KEY` without a value.
///
/// # Errors
///
/// Returns an error if the key is empty.
pub fn pair(text: &str) -> Result<(&str, Option<&str>), SpecError> {
    match text.split_once('=') {
        Some(("", _)) => Err(SpecError::EmptyKey {
            text: text.to_owned(),
        }),
        Some((key, value)) => Ok((key, Some(value))),
        None if text.is_empty() => Err(SpecError::EmptyKey {
            text: String::new(),
        }),
        None => Ok((text, None)),
    }
}

/// Parses a named context that is an image in an OCI layout: `NAME=oci-layout://PATH[:TAG][@DIGEST]`.
///
/// # Errors
///
/// Returns the fault of the text.
pub fn oci_layout(text: &str) -> Result<(String, OciLayout), SpecError> {
    let read = || {
        let (name, source) = text.split_once('=').ok_or(OciLayoutError::NoLayout)?;
        let layout = source.strip_prefix(OciLayout::PREFIX);
        let layout = layout.ok_or(OciLayoutError::NoLayout)?;
        Ok((name.to_owned(), OciLayout::parse(layout)?))
    };
    read().map_err(|problem| SpecError::OciLayout {
        text: text.to_owned(),
        problem,
    })
}

/// Parses a tag.
///
/// # Errors
///
/// Returns an error if it is not the name of an image.
pub fn tag(text: &str) -> Result<Tag, SpecError> {
    Tag::new(text).ok_or_else(|| SpecError::Tag {
        text: text.to_owned(),
    })
}

/// Parses an annotation. Returns one for each level.
///
/// # Errors
///
/// Returns the fault of the annotation.
pub fn annotation(text: &str) -> Result<Vec<Annotation>, SpecError> {
    Annotation::parse(text).map_err(SpecError::Annotation)
}

/// Parses platforms. Each text may contain several, separated by commas. Duplicates are removed.
///
/// # Errors
///
/// Returns the first text that is not a platform.
pub fn platforms<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Platform>, SpecError> {
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in Platform::parse_list(texts)? {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

/// Parses an output: a directory, `-` for a tar stream on standard output, or
/// `type=TYPE,KEY=VALUE,...` as a line of CSV. A text that is a single field is a path, unless it begins
/// with `type=`.
///
/// # Errors
///
/// Returns the fault of the output.
pub fn output(text: &str) -> Result<Exporter, SpecError> {
    let read = || {
        let fields = csv::fields(text).map_err(OutputProblem::Csv)?;
        match fields.as_slice() {
            // A path may contain `=`.
            [place] if place == text && !text.starts_with("type=") => {
                Fields::of_place(place).read()
            }
            fields => Fields::of_pairs(fields)?.read(),
        }
    };
    read().map_err(|problem| SpecError::Output {
        text: text.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_directories_or_urls() {
        let url = "https://example.com/repo.git#main:sub";
        assert_eq!(context(url), Ok(Context::Remote(url.into())));
        assert_eq!(context("a/b"), Ok(Context::Directory("a/b".into())));
        assert_eq!(context(""), Err(SpecError::NoContext));
        assert_eq!(context("-"), Err(SpecError::StandardInput));
        assert_eq!(dockerfile(Path::new("-")), Err(SpecError::StandardInput));
        assert_eq!(dockerfile(Path::new("a")), Ok("a".into()));
    }

    #[test]
    fn pairs_have_a_key() {
        assert_eq!(pair("A=1"), Ok(("A", Some("1"))));
        assert_eq!(pair("B=x=y"), Ok(("B", Some("x=y"))));
        assert_eq!(pair("C="), Ok(("C", Some(""))));
        assert_eq!(pair("D"), Ok(("D", None)));
        let error = pair("=X").expect_err("no key").to_string();
        assert_eq!(error, "invalid key-value pair \"=X\": empty key");
        assert!(pair("").is_err());
    }

    #[test]
    fn platforms_are_returned_once() {
        let parsed = platforms(&["linux/amd64,linux/arm64", "linux/x86_64"]).expect("well-formed");
        let texts: Vec<_> = parsed.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["linux/amd64", "linux/arm64"]);
        assert!(platforms(&["banana"]).is_err());
    }
}
