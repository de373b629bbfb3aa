//! Patterns of drivers.

use std::fmt;

use iechor_values::hex;

use crate::pattern::{HostPattern, PathPattern, Place, wildcard};

/// What identifies a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// SHA-256 digest of the component, as `sha256:` and hexadecimal digits.
    pub digest: &'a str,
    /// Source: `built-in:NAME`, `file:` and an absolute path without symbolic links, or the URL that it was
    /// fetched from.
    pub source: &'a str,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}", self.source, self.digest)
    }
}

/// A pattern of drivers, by digest or by source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverPattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Digest,
    /// Built-in drivers whose names match the pattern.
    BuiltIn(String),
    /// Files whose absolute paths match.
    File(PathPattern),
    /// Drivers that were fetched from matching URLs.
    Url {
        scheme: String,
        place: Place,
    },
}

const SCHEMES: &[&str] = &["oci", "https", "http"];
const BUILT_IN: &str = "built-in";

impl DriverPattern {
    /// Parses `built-in`, `built-in:NAME`, `sha256:DIGITS`, `file:/PATH`, or a URL; `*` in a name, path or URL
    /// matches any characters.
    ///
    /// # Errors
    ///
    /// A description of what is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.into(),
            kind: kind(text)?,
        })
    }

    /// Returns whether the pattern matches the driver.
    pub(crate) fn matches(&self, origin: &Origin<'_>) -> bool {
        let source = origin.source;
        match &self.kind {
            Kind::Digest => origin.digest == self.text,
            Kind::BuiltIn(names) => source
                .strip_prefix(BUILT_IN)
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|name| wildcard(names, name)),
            Kind::File(paths) => source
                .strip_prefix("file:")
                .is_some_and(|path| paths.matches(path)),
            Kind::Url { scheme, place } => source
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_prefix("://")?.split_once('/'))
                .is_some_and(|(host, path)| !leads_out(path) && leads_to(place, host, path)),
        }
    }
}

impl fmt::Display for DriverPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    if text == BUILT_IN {
        return Ok(Kind::BuiltIn("*".into()));
    }
    if let Some((scheme, rest)) = text.split_once("://")
        && SCHEMES.contains(&scheme)
    {
        let (host, path) = rest
            .split_once('/')
            .ok_or_else(|| format!("it has nothing behind the host; {scheme}://{rest}/* is all"))?;
        return Ok(Kind::Url {
            scheme: scheme.into(),
            place: Place {
                host: HostPattern::parse(host)?,
                path: path.into(),
            },
        });
    }
    match text.split_once(':') {
        Some((BUILT_IN, name)) if !name.is_empty() => Ok(Kind::BuiltIn(name.into())),
        Some(("sha256", digits)) => {
            if digits.len() == 64 && hex::is_hex(digits) {
                Ok(Kind::Digest)
            } else {
                Err("a digest is sha256: and 64 lower-case hexadecimal digits".into())
            }
        }
        Some(("file", path)) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            match PathPattern::parse(path) {
                Ok(pattern) if path.starts_with('/') => Ok(Kind::File(pattern)),
                _ => Err(
                    "a file is named by an absolute path without '..': file:/opt/drivers/*".into(),
                ),
            }
        }
        _ => Err(
            "a driver is known as built-in, built-in:NAME, sha256:DIGITS, file:/PATH, \
             oci://REGISTRY/PATH or https://HOST/PATH"
                .into(),
        ),
    }
}

/// Returns whether the place matches the URL. A `*` does not extend from the path into the query, except at the
/// end; otherwise `a?/team/driver.wasm` would match `*/team/driver.wasm`.
fn leads_to(place: &Place, host: &str, path: &str) -> bool {
    let asked = |path: &str| path.find('?').unwrap_or(path.len());
    let (path, query) = path.split_at(asked(path));
    let (paths, queries) = place.path.split_at(asked(&place.path));
    let queries = match queries {
        "" if paths.ends_with('*') => "*",
        queries => queries,
    };
    place.host.matches(host) && wildcard(paths, path) && wildcard(queries, query)
}

/// Returns whether the path has components such as `..` that lead elsewhere.
fn leads_out(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000aa";

    #[test]
    fn drivers() {
        for (pattern, source, expected) in [
            ("built-in", "built-in:remote", true),
            ("built-in:remote", "built-in:remote", true),
            ("built-in:remote", "built-in:iechor-container", false),
            ("built-in", "file:/built-in:remote", false),
            (DIGEST, "anywhere", true),
            ("file:/opt/drivers/*", "file:/opt/drivers/a/b.wasm", true),
            ("file:///opt/drivers/*", "file:/opt/drivers/a.wasm", true),
            ("file:/opt/drivers/*", "file:/opt/drivers/../x.wasm", false),
            (
                "file:/opt/drivers/*",
                "file:/home/opt/drivers/x.wasm",
                false,
            ),
            ("file:/*", "oci://x/y", false),
            ("oci://r.example/team/*", "oci://r.example/team/a:v1", true),
            (
                "oci://r.example/team/*",
                "oci://r.example/team/../a:v1",
                false,
            ),
            ("oci://r.example/*", "oci://r.example.evil/team", false),
            ("oci://r.example/*", "oci://evil/r.example/team", false),
            ("oci://r.example/*", "https://r.example/team", false),
            ("oci://*/team/*", "oci://any/team/x", true),
            ("oci://*.example/*", "oci://evil/x.example/team", false),
            ("https://r.example/*", "https://r.example@evil/x", false),
            ("https://r.example/a*", "https://r.example/a.wasm", true),
            ("https://r.example/a*", "https://r.example/a.wasm?q", true),
            ("https://r.example/a", "https://r.example/a?q", false),
            ("https://r.example/a?v=*", "https://r.example/a?v=1", true),
            ("https://r.example/*/t/d", "https://r.example/x/t/d", true),
            ("https://r.example/*/t/d", "https://r.example/x?/t/d", false),
            ("https://*.example/*", "https://evil/?x.example/a", false),
        ] {
            let parsed = DriverPattern::parse(pattern).expect("a pattern");
            let origin = Origin {
                digest: DIGEST,
                source,
            };
            assert_eq!(parsed.matches(&origin), expected, "{pattern} {source}");
            assert_eq!(parsed.to_string(), pattern);
        }
        let origin = Origin {
            digest: "sha256:ab",
            source: DIGEST,
        };
        let digest = DriverPattern::parse(DIGEST).expect("a pattern");
        assert!(!digest.matches(&origin), "a source is no digest");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "builtin",
            "built-in:",
            "sha256:12",
            &DIGEST.to_uppercase(),
            "file:relative",
            "file:/a/../b",
            "oci://registry.example.com",
            "oci://a*b/c",
            "ftp://a/b",
            "/opt/drivers",
        ] {
            assert!(DriverPattern::parse(text).is_err(), "{text}");
        }
    }
}
