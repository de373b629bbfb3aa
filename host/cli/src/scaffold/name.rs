//! What a driver may be called.

use std::str::FromStr;

use iechor_sandbox::Embedded;

/// Longest name: it becomes part of file names and of references.
const LONGEST: usize = 40;

/// Words that no package of Rust may be called, or no crate beside the standard ones.
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

/// The name of a new driver: it becomes that of a package, of a file and of a repository in
/// registries, and what `--driver` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its crate in Rust.
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
                 single hyphens, the first one a letter, the last one no hyphen (for example \
                 my-driver)"
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
            return wrong(&format!("{other:?} is none of the characters of a name"));
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return wrong("it does not begin with a letter");
        }
        if text.ends_with('-') || text.contains("--") {
            return wrong("it has a hyphen that joins nothing");
        }
        if RESERVED.contains(&text) {
            return Err(format!("{text:?} is a word of Rust: choose another name"));
        }
        if Embedded::find(text).is_some() {
            return Err(format!("{text:?} is part of iechor: choose another name"));
        }
        if super::crates().any(|name| name == text) {
            return Err(format!(
                "{text:?} is a crate that drivers stand on: choose another name"
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
            "iechor-buildkit-container",
            "wit-bindgen",
            &"a".repeat(41),
        ] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
    }
}
