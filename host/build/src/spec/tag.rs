//! Names for the image of a build.

use std::fmt;

/// Maximum length of the part after the colon, in characters.
const LABEL: usize = 128;

/// The name of an image: `[HOST/]NAME[:LABEL]`, with the name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Parses a tag. Returns `None` for a text that registries and engines would refuse.
    pub fn new(text: &str) -> Option<Self> {
        is_tag(text).then(|| Self(text.to_owned()))
    }

    /// Returns the tag unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_tag(text: &str) -> bool {
    let (name, label) = match text.rsplit_once(':') {
        // A colon before a slash precedes the port of the host.
        Some((name, label)) if !label.contains('/') => (name, Some(label)),
        _ => (text, None),
    };
    if !label.is_none_or(is_label) {
        return false;
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    let has_host = parts.len() > 1
        && (parts[0].contains(['.', ':'])
            || parts[0] == "localhost"
            || parts[0].contains(char::is_uppercase));
    if has_host && !is_host(parts.remove(0)) {
        return false;
    }
    !parts.is_empty() && parts.iter().all(|part| is_component(part))
}

fn is_label(label: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = |c: char| first(c) || matches!(c, '.' | '-');
    label.len() <= LABEL && label.starts_with(first) && label.chars().all(rest)
}

fn is_host(host: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !host.is_empty() && host.chars().all(usual)
}

fn is_component(part: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let usual = |c: char| edge(c) || matches!(c, '.' | '_' | '-');
    part.starts_with(edge) && part.ends_with(edge) && part.chars().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for tag in [
            "demo",
            "demo:1.0",
            "a/b_c/d-e",
            "localhost:5000/x",
            "ghcr.io/o/n:v1",
            "a:A_b",
        ] {
            assert!(Tag::new(tag).is_some(), "{tag}");
        }
        for tag in [
            "", "Demo", "demo:", "a//b", ":tag", "a b", "demo:-x", "-a", "a/", "x:y z",
        ] {
            assert!(Tag::new(tag).is_none(), "{tag}");
        }
    }
}
