//! Annotations of an image: texts in its manifests and indexes.

use std::fmt;

use iechor_platform::Platform;

use super::error::AnnotationProblem;
use super::faults::Faults;

/// An annotation of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The object that has the annotation.
    pub level: Level,
    /// The platform whose manifest has the annotation; `None` for all. Indexes have no platform.
    pub platform: Option<Platform>,
    /// Name.
    pub key: String,
    /// Value.
    pub value: String,
}

/// An object of an image that can have annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// The object that BuildKit chooses: each manifest.
    #[default]
    Default,
    /// The manifest of a platform.
    Manifest,
    /// The descriptor of a manifest in the index.
    ManifestDescriptor,
    /// The index.
    Index,
    /// The descriptor of the index in an OCI layout.
    IndexDescriptor,
}

/// The levels by name.
const LEVELS: [(&str, Level); 4] = [
    ("manifest", Level::Manifest),
    ("manifest-descriptor", Level::ManifestDescriptor),
    ("index", Level::Index),
    ("index-descriptor", Level::IndexDescriptor),
];

impl Level {
    /// Returns whether the object belongs to an image with several platforms.
    pub fn is_of_index(self) -> bool {
        matches!(self, Self::Index | Self::IndexDescriptor)
    }
}

impl Annotation {
    /// Parses `[LEVEL[[PLATFORM]],...:]KEY=VALUE`. Returns an annotation for each level.
    ///
    /// # Errors
    ///
    /// Returns all faults.
    pub fn parse(text: &str) -> Result<Vec<Self>, Vec<AnnotationProblem>> {
        let Some((name, value)) = text.split_once('=') else {
            let text = text.to_owned();
            return Err(vec![AnnotationProblem::NoValue { text }]);
        };
        let (levels, key) = match name.split_once(':') {
            Some((levels, key)) => (Some(levels), key),
            None => (None, name),
        };
        let annotation = |(level, platform)| Self {
            level,
            platform,
            key: key.to_owned(),
            value: value.to_owned(),
        };
        match levels {
            None => Ok(vec![annotation((Level::Default, None))]),
            Some(levels) => {
                let mut faults = Faults::default();
                let levels = levels.split(',').map(level);
                let levels = levels.filter_map(|level| faults.found(level));
                let annotations = levels.map(annotation).collect();
                faults.check(annotations)
            }
        }
    }

    /// Returns the option of an exporter that sets the annotation.
    pub fn option(&self) -> String {
        let level = LEVELS.iter().find(|(_, level)| *level == self.level);
        let level = level.map(|(name, _)| format!("-{name}"));
        let platform = self.platform.as_ref().filter(|_| !self.level.is_of_index());
        let platform = platform.map(|platform| format!("[{}]", OfManifest(platform)));
        format!(
            "annotation{}{}.{}",
            level.unwrap_or_default(),
            platform.unwrap_or_default(),
            self.key
        )
    }
}

/// A platform in the name of an option, which has no version of the operating system.
struct OfManifest<'a>(&'a Platform);

impl fmt::Display for OfManifest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Platform {
            os,
            architecture,
            variant,
            ..
        } = self.0;
        write!(formatter, "{os}/{architecture}")?;
        match variant.as_str() {
            "" => Ok(()),
            variant => write!(formatter, "/{variant}"),
        }
    }
}

/// Parses a level with an optional platform in brackets.
fn level(text: &str) -> Result<(Level, Option<Platform>), AnnotationProblem> {
    let malformed = || AnnotationProblem::Level {
        text: text.to_owned(),
    };
    let (name, platform) = match text.split_once('[') {
        Some((name, rest)) => {
            let platform = rest.strip_suffix(']').ok_or_else(malformed)?;
            let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-');
            if platform.is_empty() || !platform.chars().all(usual) {
                return Err(malformed());
            }
            (name, Some(platform))
        }
        None => (text, None),
    };
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        return Err(malformed());
    }
    let known = LEVELS.iter().find(|(known, _)| *known == name);
    let (_, level) = known.ok_or_else(|| AnnotationProblem::UnknownLevel {
        level: name.to_owned(),
    })?;
    let platform = platform.map(|text| {
        text.parse().map_err(|cause| AnnotationProblem::Platform {
            text: text.to_owned(),
            cause,
        })
    });
    Ok((*level, platform.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Vec<String> {
        let annotations = Annotation::parse(text).expect(text);
        let pairs = annotations.iter();
        pairs
            .map(|annotation| format!("{}={}", annotation.option(), annotation.value))
            .collect()
    }

    #[test]
    fn annotations_become_options() {
        for (text, expected) in [
            ("a.b=c=d", &["annotation.a.b=c=d"][..]),
            ("a=", &["annotation.a="]),
            ("manifest:a=b:c", &["annotation-manifest.a=b:c"]),
            (
                "index,manifest-descriptor[linux/arm/v7]:a=b",
                &[
                    "annotation-index.a=b",
                    "annotation-manifest-descriptor[linux/arm/v7].a=b",
                ],
            ),
            (
                "index-descriptor[linux/amd64]:a=b",
                &["annotation-index-descriptor.a=b"],
            ),
            (
                "manifest[linux/x86_64]:a=b",
                &["annotation-manifest[linux/amd64].a=b"],
            ),
        ] {
            assert_eq!(options(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("a", "invalid annotation \"a\", expected key=value"),
            (
                "Index:a=b",
                "invalid annotation type \"Index\", expected type and optional platform in square brackets",
            ),
            (
                "manifest[linux:a=b",
                "invalid annotation type \"manifest[linux\"",
            ),
            (":a=b", "invalid annotation type \"\""),
            ("layer:a=b", "unknown annotation type \"layer\""),
            ("manifest[a/b/c/d]:a=b", "invalid platform \"a/b/c/d\""),
        ] {
            let errors = Annotation::parse(text).expect_err(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].to_string().starts_with(words), "{errors:?}");
        }
        let errors = Annotation::parse("layer,index,Image:a=b");
        assert_eq!(errors.expect_err("two").len(), 2);
    }
}
