//! Paths, which are bytes: how they are displayed in messages, and split and cleaned as in Go.

use std::fmt;

/// A path in a message. Bytes that are not text, and control characters, are escaped, so that a
/// file name cannot control the terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    write!(formatter, "{}", character.escape_default())?;
                } else {
                    write!(formatter, "{character}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(formatter, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Returns a path as text for an error, see [`Shown`].
pub(crate) fn shown(path: &[u8]) -> String {
    Shown(path).to_string()
}

/// Returns the shortest path with the same meaning, without access to the file system (Go's
/// `filepath.Clean` on Unix). The empty path becomes `.`.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let mut cleaned = Vec::with_capacity(path.len().max(1));
    if rooted {
        cleaned.push(b'/');
    }
    cleaned.extend_from_slice(&parts.join(&b'/'));
    if cleaned.is_empty() {
        cleaned.push(b'.');
    }
    cleaned
}

/// Joins two parts of a path (Go's `filepath.Join` on Unix).
pub(crate) fn join(first: &[u8], second: &[u8]) -> Vec<u8> {
    match (first, second) {
        (b"", b"") => Vec::new(),
        (b"", only) | (only, b"") => clean(only),
        _ => clean(&[first, second].join(&b'/')),
    }
}

/// Splits a clean path into its directory (empty if it has none) and its last part.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_is_that_of_go() {
        let table: &[(&str, &str)] = &[
            ("", "."),
            (".", "."),
            ("abc", "abc"),
            ("abc/", "abc"),
            ("abc//def//ghi", "abc/def/ghi"),
            ("abc/./def", "abc/def"),
            ("./abc", "abc"),
            ("abc/..", "."),
            ("abc/../../def", "../def"),
            ("../../abc", "../../abc"),
            ("/", "/"),
            ("//abc", "/abc"),
            ("/../abc", "/abc"),
            ("/abc/../..", "/"),
            ("!foo/", "!foo"),
            ("!./foo", "!./foo"),
            ("**/", "**"),
        ];
        for (path, expected) in table {
            assert_eq!(shown(&clean(path.as_bytes())), *expected, "{path:?}");
        }
    }

    #[test]
    fn join_is_that_of_go() {
        let table: &[(&str, &str, &str)] = &[
            ("", "", ""),
            (".", "/foo", "foo"),
            ("/", "../x", "/x"),
            ("a", "../..", ".."),
            ("a", "", "a"),
            ("", "b/", "b"),
        ];
        for (first, second, expected) in table {
            let joined = join(first.as_bytes(), second.as_bytes());
            assert_eq!(shown(&joined), *expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn names_are_shown_without_harm() {
        assert_eq!(shown("dir/grüße".as_bytes()), "dir/grüße");
        assert_eq!(shown(b"a\xffb\x1b[31m"), "a\\xffb\\u{1b}[31m");
    }
}
