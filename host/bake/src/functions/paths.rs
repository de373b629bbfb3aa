//! Paths and names.

use super::{Row, failed, string, text};
use crate::value::Value;

pub const FUNCTIONS: &[Row] = &[
    ("basename", &[string("path")], None, |_, values| {
        Ok(Value::from(base(text(values, 0))))
    }),
    ("dirname", &[string("path")], None, |_, values| {
        Ok(Value::from(directory(text(values, 0))))
    }),
    ("homedir", &[], None, |context, _| {
        match context.environment.home() {
            Some(home) => Ok(Value::from(home)),
            None => Err(failed("the user has no home directory")),
        }
    }),
    ("sanitize", &[string("name")], None, |_, values| {
        let allowed = |character: char| {
            let keep = character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
            if keep { character } else { '_' }
        };
        Ok(Value::from(
            text(values, 0).chars().map(allowed).collect::<String>(),
        ))
    }),
];

/// Returns the last element of a path with slashes, as Go's `path.Base`.
fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None => "/",
        Some(last) => last,
    }
}

/// Returns all but the last element of a path with slashes, cleaned, as Go's `path.Dir`.
fn directory(path: &str) -> String {
    crate::path::clean(&path[..path.rfind('/').map_or(0, |at| at + 1)])
}
