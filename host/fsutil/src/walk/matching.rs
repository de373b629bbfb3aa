//! The results of the filter's matchers for the directories that a walk is in.

use crate::pattern::{PatternError, PatternMatcher};

/// The results of one matcher for the directories that the walk is in.
pub(super) struct MatchStack<'a> {
    matcher: Option<&'a PatternMatcher>,
    /// One result for each pattern and each level below the root, followed by those of the current
    /// entry.
    results: Vec<bool>,
    width: usize,
}

impl<'a> MatchStack<'a> {
    pub(super) fn new(matcher: Option<&'a PatternMatcher>) -> Self {
        let width = matcher.map_or(0, |matcher| matcher.patterns().len());
        Self {
            matcher,
            results: vec![false; width],
            width,
        }
    }

    /// Returns whether the current entry matches, or `None` without a matcher.
    pub(super) fn matches(&mut self, path: &[u8]) -> Result<Option<bool>, PatternError> {
        let Some(matcher) = self.matcher else {
            return Ok(None);
        };
        let depth = self.results.len() - self.width;
        let (above, own) = self.results.split_at_mut(depth);
        let parent = above
            .len()
            .checked_sub(self.width)
            .filter(|_| !above.is_empty());
        let parent = parent.map(|start| &above[start..]);
        matcher
            .matches_using_parent_results(path, parent, own)
            .map(Some)
    }

    /// Makes the current entry the directory that the walk is in.
    pub(super) fn enter(&mut self) {
        self.results.resize(self.results.len() + self.width, false);
    }

    pub(super) fn leave(&mut self) {
        let length = self.results.len().saturating_sub(self.width);
        self.results.truncate(length.max(self.width));
    }
}
