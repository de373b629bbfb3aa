//! Which entries of a directory are sent.

use std::path::Path;

use crate::follow::{FollowError, follow, without_nested};
use crate::pattern::{Pattern, PatternError, PatternMatcher};

/// Which entries of a directory are sent. The default sends all.
///
/// An entry is sent when it or a directory above it matches `include` (if there are any) and
/// does not match `exclude`; the directories above an entry that is sent are sent as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Patterns, see [`crate::pattern`], of which an entry has to match one.
    pub include: Vec<String>,
    /// Patterns that an entry must not match: the lines of a `.dockerignore`.
    pub exclude: Vec<String>,
    /// Paths that become include patterns, together with what symlinks on the way and at their
    /// end point to.
    pub follow_paths: Vec<String>,
}

/// A filter that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A pattern of the filter is wrong.
    #[error("{list} patterns")]
    Pattern {
        /// Which list it is in: `include` or `exclude`.
        list: &'static str,
        /// What is wrong with it.
        source: PatternError,
    },
    /// A path to follow could not be.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

impl Filter {
    /// Compiles the patterns and follows the paths below `root`.
    pub(crate) fn compile(&self, root: &Path) -> Result<CompiledFilter, FilterError> {
        let mut include: Vec<Vec<u8>> = self
            .include
            .iter()
            .map(|pattern| pattern.clone().into_bytes())
            .collect();
        if !self.follow_paths.is_empty()
            && let Some(targets) = follow(root, &self.follow_paths)?
        {
            include.extend(targets);
            include = without_nested(include).unwrap_or_default();
        }
        let wrong = |list| move |source| FilterError::Pattern { list, source };
        let compile = |patterns: Vec<Vec<u8>>| -> Result<_, PatternError> {
            if patterns.is_empty() {
                Ok(None)
            } else {
                PatternMatcher::new(patterns).map(Some)
            }
        };
        let include = compile(include).map_err(wrong("include"))?;
        let exclude = self
            .exclude
            .iter()
            .map(|pattern| pattern.clone().into_bytes())
            .collect();
        let exclude = compile(exclude).map_err(wrong("exclude"))?;
        Ok(CompiledFilter {
            include_prefixes: prefixes(include.as_ref(), |pattern| !pattern.is_exclusion()),
            exception_prefixes: prefixes(exclude.as_ref(), Pattern::is_exclusion),
            include,
            exclude,
        })
    }
}

/// A [`Filter`] in use.
#[derive(Debug)]
pub(crate) struct CompiledFilter {
    pub(crate) include: Option<PatternMatcher>,
    pub(crate) exclude: Option<PatternMatcher>,
    /// Of the include patterns; `None` when one of them cannot be judged by its prefix.
    include_prefixes: Option<Vec<Vec<u8>>>,
    /// Of the exceptions among the exclude patterns, likewise.
    exception_prefixes: Option<Vec<Vec<u8>>>,
}

impl CompiledFilter {
    /// Whether an include pattern may match below a directory that is not included itself.
    pub(crate) fn may_include_below(&self, directory: &[u8]) -> bool {
        may_match_below(self.include_prefixes.as_deref(), directory)
    }

    /// Whether an exception may match below a directory that is excluded itself.
    pub(crate) fn may_except_below(&self, directory: &[u8]) -> bool {
        may_match_below(self.exception_prefixes.as_deref(), directory)
    }
}

fn may_match_below(prefixes: Option<&[Vec<u8>]>, directory: &[u8]) -> bool {
    let Some(prefixes) = prefixes else {
        return true;
    };
    prefixes
        .iter()
        .any(|prefix| match prefix.strip_prefix(directory) {
            Some(rest) => rest.is_empty() || rest[0] == b'/',
            None => false,
        })
}

/// What a path has to begin with to match each of the chosen patterns. `None` when one of them
/// has a wildcard elsewhere than as its last part.
///
/// BuildKit cuts both `/**` and `/*` off a pattern that ends in `/*/**`, and so never enters
/// directories that such a pattern matches in. Here only one of the two is cut off.
fn prefixes(
    matcher: Option<&PatternMatcher>,
    chosen: impl Fn(&Pattern) -> bool,
) -> Option<Vec<Vec<u8>>> {
    let patterns = matcher.map_or(&[][..], PatternMatcher::patterns);
    let mut prefixes = Vec::new();
    for pattern in patterns.iter().filter(|pattern| chosen(pattern)) {
        let text = pattern.text();
        let prefix = text
            .strip_suffix(b"/**")
            .or_else(|| text.strip_suffix(b"/*"));
        let prefix = prefix.unwrap_or(text);
        if prefix.iter().any(|byte| b"*[]?^\\".contains(byte)) {
            return None;
        }
        prefixes.push(prefix.to_vec());
    }
    Some(prefixes)
}
