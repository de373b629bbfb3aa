//! Translates a pattern to the regular expression that Go's matcher makes of it.
//!
//! The translation is imprecise in visible ways: it does not know brackets, so `*` within them becomes
//! a class in a class, and it copies `\d` although the file match means a `d`.

use super::expression::Expression;
use super::{Kind, lossy};

/// The method that Go's matcher uses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GoMatch {
    Exact,
    Prefix,
    Suffix,
    /// A regular expression, without the `^` and `$` around it.
    Regex(String),
}

/// Decides how to match a clean pattern without `!`.
pub(super) fn compile(pattern: &[u8]) -> Kind {
    match go_match(&lossy(pattern)) {
        GoMatch::Exact => Kind::Exact,
        GoMatch::Prefix => Kind::Prefix,
        GoMatch::Suffix => Kind::Suffix,
        GoMatch::Regex(expression) => match Expression::parse(&expression) {
            Ok(expression) => Kind::Expression(expression),
            Err(reason) => Kind::Broken(reason),
        },
    }
}

/// Translates as `Pattern.compile` of Go's matcher.
pub(super) fn go_match(pattern: &str) -> GoMatch {
    // Go's scanner drops a byte order mark at the beginning.
    let pattern = pattern.strip_prefix('\u{feff}').unwrap_or(pattern);
    let mut regex = String::new();
    let mut kind = GoMatch::Exact;
    let mut characters = pattern.chars().peekable();
    let is_regex = || GoMatch::Regex(String::new());
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.next_if_eq(&'*').is_some() => {
                // `**/` is `**`.
                characters.next_if_eq(&'/');
                if characters.peek().is_some() {
                    regex.push_str("(.*/)?");
                    kind = is_regex();
                } else if kind == GoMatch::Exact {
                    kind = GoMatch::Prefix;
                } else {
                    regex.push_str(".*");
                    kind = is_regex();
                }
                if first {
                    kind = GoMatch::Suffix;
                }
            }
            '*' => {
                regex.push_str("[^/]*");
                kind = is_regex();
            }
            '?' => {
                regex.push_str("[^/]");
                kind = is_regex();
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                regex.push('\\');
                regex.push(character);
            }
            '\\' => {
                regex.push('\\');
                if let Some(escaped) = characters.next() {
                    regex.push(escaped);
                    kind = is_regex();
                }
            }
            '[' | ']' => {
                regex.push(character);
                kind = is_regex();
            }
            _ => regex.push(character),
        }
        first = false;
    }
    if kind == is_regex() {
        kind = GoMatch::Regex(regex);
    }
    kind
}
