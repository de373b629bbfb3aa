//! Pure functions that parse settings which command lines and definition files have in common.

use std::ffi::OsStr;

use iechor_platform::Platform;
use iechor_values::csv;

use super::annotation::Annotation;
use super::error::{OutputProblem, SpecError};
use super::exporter::{Exporter, Fields};
pub use super::value::boolean;
use super::{NamedContext, Tag};

/// Parses named contexts, each as `NAME=SOURCE`. Of several with the same name, the last one counts.
///
/// # Errors
///
/// Returns all faults of the texts.
pub fn named_contexts<S: AsRef<OsStr>>(texts: &[S]) -> Result<Vec<NamedContext>, Vec<SpecError>> {
    let mut faults = Vec::new();
    let mut contexts: Vec<NamedContext> = Vec::new();
    for text in texts {
        match NamedContext::parse(text.as_ref()) {
            Ok(context) => {
                contexts.retain(|earlier| earlier.name != context.name);
                contexts.push(context);
            }
            Err(found) => faults.extend(found),
        }
    }
    match faults.is_empty() {
        true => Ok(contexts),
        false => Err(faults),
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
/// Returns all faults of the annotation.
pub fn annotation(text: &str) -> Result<Vec<Annotation>, Vec<SpecError>> {
    let errors = |faults: Vec<_>| faults.into_iter().map(SpecError::Annotation).collect();
    Annotation::parse(text).map_err(errors)
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
/// Returns all faults of the output.
pub fn output(text: &str) -> Result<Exporter, Vec<SpecError>> {
    let read = || {
        let fields = csv::fields(text).map_err(|error| vec![OutputProblem::Csv(error)])?;
        match fields.as_slice() {
            // A path may contain `=`.
            [place] if place == text && !text.starts_with("type=") => {
                Fields::of_place(place).read()
            }
            fields => Fields::of_pairs(fields).read(),
        }
    };
    let error = |problem| SpecError::Output {
        text: text.to_owned(),
        problem,
    };
    read().map_err(|problems| problems.into_iter().map(error).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::NamedSource;

    #[test]
    fn the_last_context_of_a_name_counts() {
        let parsed = named_contexts(&["a=one", "b=two", "docker.io/library/a:latest=three"]);
        let names: Vec<_> = parsed
            .expect("well-formed")
            .into_iter()
            .map(|context| (context.name, context.source))
            .collect();
        let directory = |path: &str| NamedSource::Directory(path.into());
        assert_eq!(
            names,
            [
                ("b".into(), directory("two")),
                ("a".into(), directory("three"))
            ]
        );
        assert!(named_contexts(&["a"]).is_err());
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
