//! Go's `filepath.Match` on Unix: the syntax check that every pattern must pass, and the match of a
//! file name, which wildcards in followed paths need.

/// The error of a pattern with invalid syntax (Go's `ErrBadPattern`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSyntax;

/// Checks the syntax of a pattern as Go does.
pub(crate) fn check(mut pattern: &[u8]) -> Result<(), BadSyntax> {
    while !pattern.is_empty() {
        pattern = step(pattern, b"x")?.rest;
    }
    Ok(())
}

/// Returns whether a file name (without slashes) matches. A pattern with invalid syntax matches
/// nothing.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if check(pattern).is_err() {
        return false;
    }
    let (mut pattern, mut name) = (pattern, name);
    // Where to continue when the match fails: after the last star, which then takes one more byte.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if pattern.first() == Some(&b'*') {
            pattern = &pattern[1..];
            retry = Some((pattern, name));
            continue;
        }
        if pattern.is_empty() && name.is_empty() {
            return true;
        }
        if !pattern.is_empty() && !name.is_empty() {
            match step(pattern, name) {
                Ok(Step {
                    rest,
                    taken: Some(taken),
                }) => {
                    pattern = rest;
                    name = &name[taken..];
                    continue;
                }
                Ok(Step { taken: None, .. }) => {}
                Err(BadSyntax) => return false,
            }
        }
        match retry {
            Some((behind, from)) if !from.is_empty() && from[0] != b'/' => {
                retry = Some((behind, &from[1..]));
                pattern = behind;
                name = &from[1..];
            }
            _ => return false,
        }
    }
}

/// A match of one element of a pattern with the beginning of a name.
struct Step<'a> {
    /// The pattern after the element.
    rest: &'a [u8],
    /// Number of bytes of the name that the element takes, if it matches.
    taken: Option<usize>,
}

fn step<'a>(pattern: &'a [u8], name: &[u8]) -> Result<Step<'a>, BadSyntax> {
    match pattern[0] {
        b'*' => Ok(Step {
            rest: &pattern[1..],
            taken: Some(0),
        }),
        b'?' => {
            let taken = (name[0] != b'/').then(|| rune(name).1);
            Ok(Step {
                rest: &pattern[1..],
                taken,
            })
        }
        b'[' => class(&pattern[1..], name),
        b'\\' => match pattern.get(1) {
            None => Err(BadSyntax),
            Some(byte) => {
                let taken = (name[0] == *byte).then_some(1);
                Ok(Step {
                    rest: &pattern[2..],
                    taken,
                })
            }
        },
        byte => Ok(Step {
            rest: &pattern[1..],
            taken: (name[0] == byte).then_some(1),
        }),
    }
}

fn class<'a>(mut rest: &'a [u8], name: &[u8]) -> Result<Step<'a>, BadSyntax> {
    let (found, width) = rune(name);
    let negated = rest.first() == Some(&b'^');
    if negated {
        rest = &rest[1..];
    }
    let mut inside = false;
    let mut ranges = 0;
    loop {
        if ranges > 0 && rest.first() == Some(&b']') {
            let taken = (inside != negated).then_some(width);
            return Ok(Step {
                rest: &rest[1..],
                taken,
            });
        }
        let low = bound(&mut rest)?;
        let mut high = low;
        if rest[0] == b'-' {
            rest = &rest[1..];
            high = bound(&mut rest)?;
        }
        inside |= low <= found && found <= high;
        ranges += 1;
    }
}

/// Reads a bound of a range in a class. At least the bracket follows it.
fn bound(rest: &mut &[u8]) -> Result<char, BadSyntax> {
    if matches!(rest.first(), None | Some(b'-' | b']')) {
        return Err(BadSyntax);
    }
    if rest[0] == b'\\' {
        *rest = &rest[1..];
    }
    if rest.is_empty() {
        return Err(BadSyntax);
    }
    let (character, width) = rune(rest);
    if character == char::REPLACEMENT_CHARACTER && width == 1 {
        return Err(BadSyntax);
    }
    *rest = &rest[width..];
    if rest.is_empty() {
        Err(BadSyntax)
    } else {
        Ok(character)
    }
}

/// Returns the first character and its width in bytes. A byte that begins no character counts as
/// U+FFFD of width 1, as in Go.
fn rune(bytes: &[u8]) -> (char, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let chunk = head.utf8_chunks().next();
    match chunk.and_then(|chunk| chunk.valid().chars().next()) {
        Some(character) => (character, character.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_names() {
        let table: &[(&str, &str, bool)] = &[
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*b*c*d*e", "axbxcxdxexe", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[b-d]", "abc", true),
            ("ab[^b-d]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("[\\]a]", "]", true),
            ("[x\\-]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
            ("[", "[", false),
        ];
        for (pattern, name, expected) in table {
            let found = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, *expected, "{pattern:?} {name:?}");
        }
        assert!(matches(b"a?b", b"a\xffb"));
        assert!(matches(b"*\xff", b"a\xff"));
    }

    #[test]
    fn syntax() {
        let bad = [
            "[]a]", "[-]", "[x-]", "[-x]", "\\", "a\\", "[a-b-c]", "[", "[^", "[^bc", "a[", "[]",
            "[^]", "[a", "[a-", "[\\", "*[", "x/*/[",
        ];
        for pattern in bad {
            assert_eq!(check(pattern.as_bytes()), Err(BadSyntax), "{pattern:?}");
        }
        assert_eq!(check(b"[\xff]"), Err(BadSyntax));
        for pattern in [
            "", "*", "]", "a]", "[a]]", "[[]", "[^^]", "[a-z0-9]", "\\[", "**/x",
        ] {
            assert_eq!(check(pattern.as_bytes()), Ok(()), "{pattern:?}");
        }
    }
}
