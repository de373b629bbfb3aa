//! Paths, which are bytes: how they are displayed in messages, and split and cleaned as in Go.

use std::fmt;

/// Maximum length of the displayed part of a path or text of the other side, in bytes.
const MOST_SHOWN: usize = 4096;

/// A path in a message. Bytes that are not text, and control characters, are escaped, so that a
/// file name cannot control the terminal. The end of a very long one is left out.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = &self.0[..self.0.len().min(MOST_SHOWN)];
        for chunk in begin.utf8_chunks() {
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
        if begin.len() < self.0.len() {
            write!(formatter, "... ({} bytes)", self.0.len())?;
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

/// Removes white space at both ends, as Go does: a byte that is not text is not white space.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((first, width)) = first_character(rest)
        && first.is_whitespace()
    {
        rest = &rest[width..];
    }
    while let Some(last) = (1..=rest.len().min(4)).find_map(|width| {
        let text = std::str::from_utf8(&rest[rest.len() - width..]).ok()?;
        text.trim().is_empty().then_some(width)
    }) {
        rest = &rest[..rest.len() - last];
    }
    rest
}

/// Returns the first character and its width in bytes, or `None` if the text does not begin with a
/// character.
fn first_character(text: &[u8]) -> Option<(char, usize)> {
    let chunk = text[..text.len().min(4)].utf8_chunks().next()?;
    let first = chunk.valid().chars().next()?;
    Some((first, first.len_utf8()))
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
    fn white_space_is_that_of_go() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b" \t\n\x0b\x0c\r", b""),
            (b" a b ", b"a b"),
            (b"\xc2\xa0\xff\xe2\x80\x83", b"\xff"),
            (b"\xa0 \xff", b"\xa0 \xff"),
            ("é".as_bytes(), "é".as_bytes()),
        ];
        for (text, expected) in table {
            assert_eq!(trim(text), *expected, "{}", shown(text));
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
        let long = shown(&[b'x'; 5000]);
        assert_eq!(long, format!("{}... (5000 bytes)", "x".repeat(4096)));
    }
}
