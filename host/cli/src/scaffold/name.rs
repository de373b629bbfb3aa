//! Names of new drivers.

use std::str::FromStr;

use iechor_catalog::view::is_built_in;

/// Maximum length of a name, which becomes part of file names and of references.
const LONGEST: usize = 40;

/// Names that cargo does not allow for a package, and names of standard crates.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The name of a new driver. It is also the name of a package, of a file and of a repository in
/// registries, and a value of `--driver`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of its crate in Rust.
    pub fn of_crate(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            Err(format!(
                "{why}; a name has at most {LONGEST} characters: lower-case letters, digits and \
                 single hyphens; it begins with a letter and does not end with a hyphen (for \
                 example my-driver)"
            ))
        };
        if text.is_empty() {
            return wrong("it is empty");
        }
        if text.len() > LONGEST {
            return wrong(&format!("it has {} characters", text.chars().count()));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(other) = text.chars().find(|c| !allowed(*c)) {
            return wrong(&format!("{other:?} is not allowed in a name"));
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return wrong("it does not begin with a letter");
        }
        if text.ends_with('-') || text.contains("--") {
            return wrong("it has a hyphen at the end or two in a row");
        }
        if RESERVED.contains(&text) {
            return Err(format!(
                "{text:?} is a reserved word of Rust: choose another name"
            ));
        }
        if is_built_in(text) {
            return Err(format!(
                "{text:?} is a built-in driver: choose another name"
            ));
        }
        if super::crates().any(|name| name == text) {
            return Err(format!(
                "{text:?} is the name of a crate that drivers depend on: choose another name"
            ));
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "my-driver", "d2", "python-container", "x-1-y"] {
            assert_eq!(name.parse::<Name>().map(|name| name.0), Ok(name.into()));
        }
        for name in [
            "",
            "-a",
            "a-",
            "a--b",
            "2d",
            "My",
            "a_b",
            "a.b",
            "a/b",
            "../a",
            "a b",
            "é",
            "a\n",
            "{{name}}",
            "fn",
            "std",
            "iechor-container",
            "docker-container",
            "docker",
            "iechor",
            "remote",
            "iechor-driver",
            "iechor-values",
            "iechor-buildkit-container",
            "wit-bindgen",
            &"a".repeat(41),
        ] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
    }
}
