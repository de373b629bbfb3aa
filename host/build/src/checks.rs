//! What the checks of a Dockerfile found: the answer of the frontend to the call `lint`.

use std::cmp::Ordering;

use iechor_buildkit::status::{Range, SourceInfo};
use iechor_buildkit::{SourceError, source_snippet};
use serde::Deserialize;

/// What the checks found.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Checks {
    warnings: Option<Vec<Warning>>,
    sources: Option<Vec<SourceInfo>>,
    #[serde(rename = "buildError")]
    build_error: Option<BuildError>,
}

/// A warning, or the error that ended the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the rule; empty for an error.
    pub rule: String,
    /// Address of further information; may be empty.
    pub url: String,
    /// Description of the fault.
    pub detail: String,
    /// The lines of the Dockerfile, with marks. They are foreign text.
    pub snippet: Vec<String>,
}

/// The reason why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChecksError {
    /// The answer has another format.
    #[error("the answer of the frontend cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A warning refers to a source that is not part of the answer.
    // docker buildx prints the same.
    #[error("sourceIndex is out of range")]
    OutOfRange,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Warning {
    rule_name: String,
    url: String,
    detail: String,
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BuildError {
    message: String,
    location: Location,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    /// Index in the list of sources; negative for none.
    source_index: i64,
    ranges: Vec<Range>,
}

impl Checks {
    /// Reads the answer of the frontend, which is JSON.
    ///
    /// # Errors
    ///
    /// The answer cannot be read, or contradicts itself.
    pub fn read(json: &str) -> Result<Self, ChecksError> {
        let checks: Self = serde_json::from_str(json)?;
        let mut warnings = checks.warnings.iter().flatten();
        match warnings.any(|warning| checks.is_outside(&warning.location)) {
            true => Err(ChecksError::OutOfRange),
            false => Ok(checks),
        }
    }

    /// Returns the warnings by file and line. `dockerfile` is the Dockerfile as the user named it.
    pub fn warnings(&self, dockerfile: Option<&str>) -> Vec<Finding> {
        let mut warnings: Vec<_> = self.warnings.iter().flatten().collect();
        warnings.sort_by(|a, b| self.order(a, b));
        let finding = |warning: &Warning| Finding {
            rule: warning.rule_name.clone(),
            url: warning.url.clone(),
            detail: warning.detail.clone(),
            snippet: self.snippet(&warning.location, dockerfile),
        };
        warnings.into_iter().map(finding).collect()
    }

    /// Returns the error of the Dockerfile, if there is one.
    pub fn error(&self, dockerfile: Option<&str>) -> Option<Finding> {
        let error = self.build_error.as_ref()?;
        Some(Finding {
            rule: String::new(),
            url: String::new(),
            detail: error.message.clone(),
            snippet: self.snippet(&error.location, dockerfile),
        })
    }

    fn source(&self, location: &Location) -> Option<&SourceInfo> {
        let index = usize::try_from(location.source_index).ok()?;
        self.sources.as_ref()?.get(index)
    }

    fn is_outside(&self, location: &Location) -> bool {
        location.source_index >= 0 && self.source(location).is_none()
    }

    fn snippet(&self, location: &Location, dockerfile: Option<&str>) -> Vec<String> {
        let Some(source) = self.source(location) else {
            return Vec::new();
        };
        let mut info = source.clone();
        if let Some(name) = dockerfile {
            info.filename = name.to_owned();
        }
        source_snippet(&SourceError {
            info,
            ranges: location.ranges.clone(),
        })
    }

    /// Sorts warnings without a source first, then by file and line.
    fn order(&self, a: &Warning, b: &Warning) -> Ordering {
        let by_rule = || a.rule_name.cmp(&b.rule_name);
        let (of_a, of_b) = (self.source(&a.location), self.source(&b.location));
        let (Some(of_a), Some(of_b)) = (of_a, of_b) else {
            return match (of_a, of_b) {
                (None, None) => by_rule(),
                (of_a, _) => of_a.is_some().cmp(&true),
            };
        };
        let line = |warning: &Warning| {
            warning
                .location
                .ranges
                .first()
                .map(|range| range.start.line)
        };
        of_a.filename
            .cmp(&of_b.filename)
            .then_with(|| match (line(a), line(b)) {
                (None, None) => by_rule(),
                (a, b) => a.cmp(&b),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: &str =
        r#""sources": [{"filename": "Dockerfile", "data": "RlJPTSBhIGFzIGIKZXhwb3NlIDgwCg=="}]"#;

    fn warning(rule: &str, line: u32) -> String {
        format!(
            r#"{{"ruleName": "{rule}", "description": "d", "url": "https://x/{rule}", "detail": "because {rule}",
            "location": {{"ranges": [{{"start": {{"line": {line}}}, "end": {{"line": {line}}}}}]}}}}"#
        )
    }

    #[test]
    fn warnings_are_sorted_and_have_their_lines() {
        let json = format!(
            r#"{{"warnings": [{}, {}], {SOURCES}}}"#,
            warning("Second", 2),
            warning("First", 1)
        );
        let warnings = Checks::read(&json)
            .expect("read")
            .warnings(Some("app/Dockerfile"));
        let rules: Vec<_> = warnings.iter().map(|found| found.rule.as_str()).collect();
        assert_eq!(rules, ["First", "Second"]);
        assert_eq!(warnings[0].url, "https://x/First");
        assert_eq!(warnings[0].detail, "because First");
        assert_eq!(warnings[0].snippet[0], "app/Dockerfile:1");
        assert_eq!(warnings[0].snippet[2], "   1 | >>> FROM a as b");
    }

    #[test]
    fn lists_may_be_null() {
        let checks = Checks::read(r#"{"warnings": null, "sources": null}"#).expect("read");
        assert_eq!(checks.warnings(None), []);
        assert_eq!(checks.error(None), None);
    }

    #[test]
    fn an_error_of_the_dockerfile_has_its_place() {
        let json = format!(
            r#"{{"warnings": [], {SOURCES}, "buildError": {{"message": "unknown instruction",
            "location": {{"ranges": [{{"start": {{"line": 2}}, "end": {{"line": 2}}}}]}}}}}}"#
        );
        let error = Checks::read(&json)
            .expect("read")
            .error(None)
            .expect("an error");
        assert_eq!(error.detail, "unknown instruction");
        assert_eq!(error.snippet[0], "Dockerfile:2");
    }

    #[test]
    fn a_warning_about_no_source_is_an_error() {
        let json =
            r#"{"warnings": [{"ruleName": "R", "location": {"sourceIndex": 3}}], "sources": []}"#;
        let error = Checks::read(json).expect_err("out of range").to_string();
        assert_eq!(error, "sourceIndex is out of range");
        let json = r#"{"warnings": [{"ruleName": "R", "location": {"sourceIndex": -1}}]}"#;
        let checks = Checks::read(json).expect("a warning without a place");
        assert!(checks.warnings(None)[0].snippet.is_empty());
    }
}
