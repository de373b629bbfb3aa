//! The patterns of `.dockerignore`, and the paths that a list of them matches.
//!
//! The rules are exactly those of `github.com/moby/patternmatcher`, which BuildKit uses on both
//! sides: a client with other rules would send another context. They are Go's `filepath.Match` with
//! `**` and a leading `!` for exceptions. The last pattern that matches decides.

mod expression;
mod translate;

use std::borrow::Cow;

use expression::Expression;

use crate::glob;
use crate::name::{clean, shown, trim};

/// Maximum length of a pattern, in bytes: four times that of a path.
const LONGEST: usize = 16 << 10;

/// An invalid pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is only an exclamation mark.
    #[error("illegal exclusion pattern: `!` without a path")]
    NothingExcluded,
    /// The syntax is invalid for Go's `filepath.Match`, for example because a bracket is not
    /// closed.
    #[error("syntax error in pattern `{pattern}`")]
    Syntax {
        /// The pattern, cleaned and without its `!`.
        pattern: String,
    },
    /// The pattern is longer than any path.
    #[error("a pattern of {length} bytes is longer than {} bytes", LONGEST)]
    Long {
        /// Length of the pattern, in bytes.
        length: usize,
    },
    /// The syntax is valid, but the regular expression of the pattern is not. As in Go, this shows
    /// only when a path is matched, and only if the pattern can affect the result.
    #[error("pattern `{pattern}` cannot be matched: {reason}")]
    Unmatchable {
        /// The pattern, cleaned and without its `!`.
        pattern: String,
        /// The error in the regular expression.
        reason: String,
    },
}

/// A pattern of a [`PatternMatcher`].
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Vec<u8>,
    exclusion: bool,
    kind: Kind,
}

/// The method to match a pattern. Most patterns need no regular expression.
#[derive(Clone, Debug)]
enum Kind {
    /// The path equals the pattern.
    Exact,
    /// The pattern ends in `**`: the path begins with the part before it.
    Prefix,
    /// The pattern begins with `**`: the path ends with the part after it.
    Suffix,
    Expression(Expression),
    /// The regular expression is invalid, for this reason.
    Broken(String),
}

impl Pattern {
    /// Returns the pattern, cleaned and without its `!`.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns whether the pattern began with `!`, so that it excludes what earlier patterns
    /// matched.
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
            Kind::Expression(expression) => Ok(expression.matches(&path.text())),
            Kind::Broken(reason) => Err(PatternError::Unmatchable {
                pattern: shown(&self.text),
                reason: reason.clone(),
            }),
        }
    }
}

/// A path to match, as bytes and as text for a regular expression.
struct Subject<'a> {
    bytes: &'a [u8],
}

impl<'a> Subject<'a> {
    /// Returns the path as text. As in Go, every byte that is not part of a character becomes a
    /// U+FFFD.
    fn text(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(lossy(self.bytes)),
        }
    }

    /// Returns the directories above the path, from the top, as Go's `filepath.Dir` does: a path
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

/// A compiled list of patterns.
#[derive(Clone, Debug)]
pub struct PatternMatcher {
    patterns: Vec<Pattern>,
}

impl PatternMatcher {
    /// Compiles patterns. Ignores white space around them, and empty ones.
    ///
    /// # Errors
    ///
    /// [`PatternError::NothingExcluded`], [`PatternError::Long`] and [`PatternError::Syntax`].
    pub fn new<P: AsRef<[u8]>>(
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, PatternError> {
        let mut compiled = Vec::new();
        for pattern in patterns {
            let pattern = trim(pattern.as_ref());
            if pattern.is_empty() {
                continue;
            }
            if pattern.len() > LONGEST {
                let length = pattern.len();
                return Err(PatternError::Long { length });
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

    /// Returns the patterns in their order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Returns whether a path or a directory above it matches, during a walk that has already
    /// matched the directory of the path.
    ///
    /// `parent` has the `results` of that directory. If it is `None`, there is no such directory,
    /// and all directories above the path are matched. `results` receives one value for each
    /// pattern.
    ///
    /// As in Go, the result can differ from a match of the path alone in rare cases with
    /// exceptions. This method decides which entries are sent.
    ///
    /// # Errors
    ///
    /// [`PatternError::Unmatchable`].
    ///
    /// # Panics
    ///
    /// If `results` or `parent` does not have the length of [`PatternMatcher::patterns`].
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
                // This pattern cannot change the result: it is not evaluated and counts as not
                // matching.
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

#[cfg(test)]
mod tests;
