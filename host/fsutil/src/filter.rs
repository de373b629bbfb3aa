//! The selection of the entries of a directory that are sent.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::follow::{FollowError, follow, without_nested};
use crate::pattern::{Pattern, PatternError, PatternMatcher};

/// A selection of the entries of a directory. The default selects all entries.
///
/// An entry is selected if it, or a directory above it, matches `include` (unless `include` is
/// empty) and does not match `exclude`. The directories above a selected entry are selected as
/// well. Patterns are bytes, as the names that they match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Patterns (see [`crate::pattern`]), one of which an entry has to match.
    pub include: Vec<Vec<u8>>,
    /// Patterns that an entry must not match: the lines of a `.dockerignore`.
    pub exclude: Vec<Vec<u8>>,
    /// Paths that become include patterns, together with the targets of the symlinks in them.
    pub follow_paths: Vec<Vec<u8>>,
}

/// An invalid filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A pattern of the filter is invalid.
    #[error("invalid {list} pattern")]
    Pattern {
        /// List that the pattern is in: `include` or `exclude`.
        list: &'static str,
        /// The error in the pattern.
        source: PatternError,
    },
    /// A path could not be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

impl Filter {
    /// Compiles the patterns and follows the paths below `root`. Follows no further paths if `stop`
    /// becomes true.
    pub(crate) fn compile(
        &self,
        root: &Path,
        stop: &AtomicBool,
    ) -> Result<CompiledFilter, FilterError> {
        let mut include = self.include.clone();
        if !self.follow_paths.is_empty()
            && let Some(targets) = follow(root, &self.follow_paths, stop)?
        {
            include.extend(targets);
            include = without_nested(include).unwrap_or_default();
        }
        let wrong = |list| move |source| FilterError::Pattern { list, source };
        let compile = |patterns: &[Vec<u8>]| -> Result<_, PatternError> {
            if patterns.is_empty() {
                Ok(None)
            } else {
                PatternMatcher::new(patterns).map(Some)
            }
        };
        let include = compile(&include).map_err(wrong("include"))?;
        let exclude = compile(&self.exclude).map_err(wrong("exclude"))?;
        Ok(CompiledFilter {
            include_prefixes: prefixes(include.as_ref(), |pattern| !pattern.is_exclusion()),
            exception_prefixes: prefixes(exclude.as_ref(), Pattern::is_exclusion),
            include,
            exclude,
        })
    }
}

/// A compiled [`Filter`].
#[derive(Debug)]
pub(crate) struct CompiledFilter {
    pub(crate) include: Option<PatternMatcher>,
    pub(crate) exclude: Option<PatternMatcher>,
    /// Prefixes of the include patterns; `None` if one of them cannot be decided by its prefix.
    include_prefixes: Option<Vec<Vec<u8>>>,
    /// Prefixes of the exceptions among the exclude patterns; `None` as above.
    exception_prefixes: Option<Vec<Vec<u8>>>,
}

impl CompiledFilter {
    /// Returns whether an include pattern may match below a directory that is not included itself.
    pub(crate) fn may_include_below(&self, directory: &[u8]) -> bool {
        may_match_below(self.include_prefixes.as_deref(), directory)
    }

    /// Returns whether an exception may match below a directory that is excluded itself.
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

/// Returns the prefixes that a path must have to match the selected patterns, or `None` if one of
/// them has a wildcard before its last part.
///
/// BuildKit removes both `/**` and `/*` from a pattern that ends in `/*/**`, and so never enters
/// directories in which such a pattern matches. Here only one of the two is removed.
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
