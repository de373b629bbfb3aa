//! Patterns of hosts, and of paths on them.

use std::fmt;

use super::wildcard;

/// A pattern of host names. A `*` does not match a `/`; otherwise `elsewhere/registry.example.com/x` would match
/// `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// `*`
    Any,
    /// `*.example.com`: the suffix, beginning with its dot.
    Below(String),
    /// One host, with its port if it has one.
    Exactly(String),
}

impl HostPattern {
    /// # Errors
    ///
    /// A `*` that is not at the beginning.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix('*')) {
            ("", _) => Err("it names no host".into()),
            ("*", _) => Ok(Self::Any),
            (_, None) if !text.contains('*') => Ok(Self::Exactly(text.into())),
            (_, Some(rest)) if rest.starts_with('.') && !rest.contains('*') => {
                Ok(Self::Below(rest.into()))
            }
            _ => Err(format!(
                "the host {text:?} has a * in it; it may be * or begin with *. and nothing else"
            )),
        }
    }

    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(end) => host.ends_with(end.as_str()),
            Self::Exactly(name) => host == name,
        }
    }

    /// Returns whether anybody can register a matching host: the pattern matches every host, or all below a
    /// top-level domain such as `.com`.
    pub(crate) fn is_everybodys(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Below(end) => !end.trim_matches('.').contains('.'),
            Self::Exactly(_) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Below(end) => write!(formatter, "*{end}"),
            Self::Exactly(name) => formatter.write_str(name),
        }
    }
}

/// A pattern of a host and of the text after its `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: HostPattern,
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn matches(&self, host: &str, path: &str) -> bool {
        self.host.matches(host) && wildcard(&self.path, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (pattern, host, expected) in [
            ("*", "anything", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.example.com.evil", false),
            ("*.example.com", "evilexample.com", false),
            ("example.com:5000", "example.com:5000", true),
            ("example.com", "example.com:5000", false),
        ] {
            let pattern = HostPattern::parse(pattern).expect("a pattern");
            assert_eq!(pattern.matches(host), expected, "{pattern} {host}");
        }
        for text in ["", "a*", "*a", "*.a*", "a.*.b", "**"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
