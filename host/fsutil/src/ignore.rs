//! Ignore files (`.dockerignore`): their lines, and the line that excludes a path.
//!
//! A build does not need this: the frontend reads the file and sends its patterns. It explains why a file
//! is not part of a context.

use crate::name::{clean, shown, trim};
use crate::pattern::{PatternError, PatternMatcher};

/// The patterns of an ignore file, in their order.
#[derive(Clone, Debug)]
pub struct IgnoreFile {
    matcher: PatternMatcher,
    lines: Vec<Line>,
}

/// A line with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Number of the line, counted from 1.
    pub number: usize,
    /// Text of the line without white space around it.
    pub text: String,
}

impl IgnoreFile {
    /// Parses a file by the rules of `github.com/moby/patternmatcher/ignorefile`: a byte order mark, empty
    /// lines and lines that begin with `#` are ignored.
    ///
    /// # Errors
    ///
    /// Returns the first invalid pattern.
    pub fn parse(bytes: &[u8]) -> Result<Self, PatternError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let (mut patterns, mut lines) = (Vec::new(), Vec::new());
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let text = trim(line);
            if line.starts_with(b"#") || text.is_empty() {
                continue;
            }
            patterns.push(pattern(text));
            lines.push(Line {
                number: index + 1,
                text: shown(text),
            });
        }
        Ok(Self {
            matcher: PatternMatcher::new(patterns)?,
            lines,
        })
    }

    /// Returns the line that excludes a path relative to the context, or `None` if the path is not
    /// excluded.
    ///
    /// # Errors
    ///
    /// Returns the pattern that cannot be matched.
    pub fn excluding(&self, path: &[u8]) -> Result<Option<&Line>, PatternError> {
        let mut results = vec![false; self.matcher.patterns().len()];
        let path = clean(path);
        let is_excluded = self
            .matcher
            .matches_using_parent_results(&path, None, &mut results)?;
        // The last pattern that changed the result.
        let decisive = results.iter().rposition(|matched| *matched);
        Ok(decisive
            .filter(|_| is_excluded)
            .and_then(|index| self.lines.get(index)))
    }
}

/// Returns the pattern of a line, relative to the context.
fn pattern(text: &[u8]) -> Vec<u8> {
    let (exception, rest) = match text.strip_prefix(b"!") {
        Some(rest) => (&b"!"[..], trim(rest)),
        None => (&b""[..], text),
    };
    let cleaned = match rest {
        b"" => Vec::new(),
        rest => clean(rest),
    };
    let relative = match cleaned.strip_prefix(b"/") {
        Some(relative) if !relative.is_empty() => relative,
        _ => &cleaned,
    };
    [exception, relative].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_go() {
        for (contents, expected) in [
            ("", &[][..]),
            ("\n\n \n", &[]),
            ("a\r\nb\r\n", &["a", "b"]),
            ("  a\t\u{b}\n", &["a"]),
            ("# comment\na # no comment", &["a # no comment"]),
            (" # no comment", &["# no comment"]),
            ("\u{feff}a\n\u{feff}b", &["a", "\u{feff}b"]),
            ("\u{feff}# comment", &[]),
            ("//a//b/", &["a/b"]),
            ("./a/../b/", &["b"]),
            ("../a", &["../a"]),
            ("! /a/b", &["a/b"]),
            ("!!a", &["!a"]),
            ("a b", &["a b"]),
            ("**/", &["**"]),
            ("\\#a", &["\\#a"]),
        ] {
            let file = IgnoreFile::parse(contents.as_bytes()).unwrap();
            let patterns = file.matcher.patterns().iter();
            let found: Vec<_> = patterns.map(|pattern| shown(pattern.text())).collect();
            assert_eq!(found, expected, "{contents:?}");
        }
        for contents in ["!", "! ", "a\n!\n"] {
            let error = IgnoreFile::parse(contents.as_bytes()).unwrap_err();
            assert_eq!(error, PatternError::NothingExcluded);
        }
    }

    #[test]
    fn the_deciding_line_is_found() {
        let file =
            b"\xef\xbb\xbf# comment\n\n  *.log  \n!/keep.log\nnode_modules/\n/build\n**/*.tmp\r\n\
            docs\n!docs/*.md\ndocs/secret.md\n";
        let file = IgnoreFile::parse(file).unwrap();
        for (path, expected) in [
            ("a.log", Some((3, "*.log"))),
            ("./a.log", Some((3, "*.log"))),
            ("keep.log", None),
            ("sub/a.log", None),
            ("node_modules", Some((5, "node_modules/"))),
            ("node_modules/x/y.js", Some((5, "node_modules/"))),
            ("build/out", Some((6, "/build"))),
            ("deep/er/x.tmp", Some((7, "**/*.tmp"))),
            ("docs/a.txt", Some((8, "docs"))),
            ("docs/a.md", None),
            ("docs/secret.md", Some((10, "docs/secret.md"))),
            ("Dockerfile", None),
        ] {
            let found = file.excluding(path.as_bytes()).unwrap();
            let found = found.map(|line| (line.number, line.text.as_str()));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn an_empty_file_excludes_nothing() {
        let file = IgnoreFile::parse(b"# *\n\n").unwrap();
        assert_eq!(file.excluding(b"a").unwrap(), None);
        assert!(IgnoreFile::parse(b"a[\n").is_err());
        assert!(IgnoreFile::parse(b"!\n").is_err());
    }
}
