//! The patterns of `.dockerignore`: which paths a list of them matches.
//!
//! The rules are those of `github.com/moby/patternmatcher`, which BuildKit uses on both ends,
//! with all their corners: a client that matched differently would send a different context.
//! They are Go's `filepath.Match` with `**`, a leading `!` for exceptions, and the rule that the
//! last pattern that matches wins.

mod translate;

use std::borrow::Cow;

use regex::Regex;

use crate::glob;
use crate::name::{clean, shown};

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is an exclamation mark and nothing else.
    #[error("illegal exclusion pattern: `!` without a path behind it")]
    NothingExcluded,
    /// The syntax is wrong as Go's `filepath.Match` sees it, e.g. a bracket is not closed.
    #[error("syntax error in pattern `{pattern}`")]
    Syntax {
        /// The pattern, cleaned and without its `!`.
        pattern: String,
    },
    /// The syntax is right, but the regular expression that the pattern stands for is not. As in
    /// Go this shows when a path is matched, and only if the pattern matters for it.
    #[error("pattern `{pattern}` cannot be matched: {reason}")]
    Unmatchable {
        /// The pattern, cleaned and without its `!`.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// One pattern of a [`PatternMatcher`].
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Vec<u8>,
    exclusion: bool,
    kind: Kind,
}

/// How a pattern is matched: most need no regular expression.
#[derive(Clone, Debug)]
enum Kind {
    /// The path is the pattern.
    Exact,
    /// The pattern ends in `**`: the path begins with what is before it.
    Prefix,
    /// The pattern begins with `**`: the path ends with what is behind it.
    Suffix,
    Regex(Regex),
    /// The regular expression could not be made, for this reason.
    Broken(String),
}

impl Pattern {
    /// The pattern: cleaned, and without its `!`.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it began with `!`, that is, takes back what patterns before it matched.
    pub fn is_exclusion(&self) -> bool {
        self.exclusion
    }

    fn matches(&self, path: &Subject<'_>) -> Result<bool, PatternError> {
        match &self.kind {
            Kind::Exact => Ok(path.bytes == self.text),
            Kind::Prefix => Ok(path.bytes.starts_with(&self.text[..self.text.len() - 2])),
            Kind::Suffix => {
                let suffix = &self.text[2..];
                // `**/foo` matches `foo` as well.
                Ok(path.bytes.ends_with(suffix) || suffix.strip_prefix(b"/") == Some(path.bytes))
            }
            Kind::Regex(regex) => Ok(regex.is_match(&path.text())),
            Kind::Broken(reason) => Err(PatternError::Unmatchable {
                pattern: shown(&self.text),
                reason: reason.clone(),
            }),
        }
    }
}

/// A path to match, as bytes and as the text that a regular expression sees.
struct Subject<'a> {
    bytes: &'a [u8],
}

impl<'a> Subject<'a> {
    /// The text: every byte that belongs to no character is a U+FFFD of its own, as in Go.
    fn text(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(lossy(self.bytes)),
        }
    }

    /// The directories above the path, from the top, as Go's `filepath.Dir` has them: a path
    /// that ends in a slash is its own directory.
    fn parents(&self) -> Vec<Vec<u8>> {
        let Some(slash) = self.bytes.iter().rposition(|byte| *byte == b'/') else {
            return Vec::new();
        };
        let parent = clean(&self.bytes[..=slash]);
        if parent == b"." {
            return Vec::new();
        }
        let slashes = parent.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parents: Vec<_> = slashes.map(|(end, _)| parent[..end].to_vec()).collect();
        parents.push(parent);
        parents
    }
}

fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// A list of patterns, compiled.
#[derive(Clone, Debug)]
pub struct PatternMatcher {
    patterns: Vec<Pattern>,
}

impl PatternMatcher {
    /// Compiles patterns. White space around them is dropped, empty ones are skipped.
    ///
    /// # Errors
    /// [`PatternError::NothingExcluded`] and [`PatternError::Syntax`].
    pub fn new<P: AsRef<[u8]>>(
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, PatternError> {
        let mut compiled = Vec::new();
        for pattern in patterns {
            let pattern = trim(pattern.as_ref());
            if pattern.is_empty() {
                continue;
            }
            let mut text = clean(pattern);
            let exclusion = text[0] == b'!';
            if exclusion {
                text.remove(0);
                if text.is_empty() {
                    return Err(PatternError::NothingExcluded);
                }
            }
            if glob::check(&text).is_err() {
                return Err(PatternError::Syntax {
                    pattern: shown(&text),
                });
            }
            let kind = translate::compile(&text);
            compiled.push(Pattern {
                text,
                exclusion,
                kind,
            });
        }
        Ok(Self { patterns: compiled })
    }

    /// The patterns, in order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The same for a walk, which has matched the directory that the path is in. `parent` is
    /// what that filled into its `results`, `None` where there is no such directory; then all
    /// directories above are matched. `results` gets one value a pattern.
    ///
    /// As in Go the two ways differ in rare cases with exceptions, and this one decides what is
    /// sent.
    ///
    /// # Errors
    /// [`PatternError::Unmatchable`].
    ///
    /// # Panics
    /// `results` or `parent` has not the length of [`PatternMatcher::patterns`].
    pub fn matches_using_parent_results(
        &self,
        path: &[u8],
        parent: Option<&[bool]>,
        results: &mut [bool],
    ) -> Result<bool, PatternError> {
        assert_eq!(results.len(), self.patterns.len(), "one result a pattern");
        let subject = Subject { bytes: path };
        let parents = if parent.is_none() {
            subject.parents()
        } else {
            Vec::new()
        };
        let mut matched = false;
        for (index, pattern) in self.patterns.iter().enumerate() {
            let found = if parent.is_some_and(|parent| parent[index]) {
                true
            } else if pattern.exclusion != matched {
                // It could change nothing: not evaluated, and remembered as not matching.
                results[index] = false;
                continue;
            } else {
                matches_either(pattern, &subject, &parents)?
            };
            results[index] = found;
            if found {
                matched = !pattern.exclusion;
            }
        }
        Ok(matched)
    }
}

fn matches_either(
    pattern: &Pattern,
    subject: &Subject<'_>,
    parents: &[Vec<u8>],
) -> Result<bool, PatternError> {
    if pattern.matches(subject)? {
        return Ok(true);
    }
    for parent in parents {
        if pattern.matches(&Subject { bytes: parent })? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn trim(pattern: &[u8]) -> &[u8] {
    match std::str::from_utf8(pattern) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => pattern.trim_ascii(),
    }
}

#[cfg(test)]
mod tests;
