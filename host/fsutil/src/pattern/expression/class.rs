//! Sets of characters: single ones, and classes in brackets in Go's syntax.

use std::iter::Peekable;
use std::str::Chars;

use super::{Escape, escape};

/// A set of characters.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::pattern) enum Set {
    Character(char),
    /// `.`
    NotLineFeed,
    Class(Box<Class>),
}

/// Ranges of characters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::pattern) struct Class {
    is_negated: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    pub(super) fn contains(&self, character: char) -> bool {
        match self {
            Self::Character(only) => *only == character,
            Self::NotLineFeed => character != '\n',
            Self::Class(class) => class.contains(character),
        }
    }

    /// Returns the set of `\d`, `\s`, `\w`, or of the complement `\D`, `\S`, `\W`.
    pub(super) fn perl(letter: char) -> Self {
        let ranges: &[_] = match letter.to_ascii_lowercase() {
            'd' => &[('0', '9')],
            's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
            _ => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        };
        Self::Class(Box::new(Class {
            is_negated: letter.is_ascii_uppercase(),
            ranges: ranges.to_vec(),
        }))
    }
}

impl Class {
    fn contains(&self, character: char) -> bool {
        let is_in = |(low, high): &(char, char)| (*low..=*high).contains(&character);
        self.ranges.iter().any(is_in) != self.is_negated
    }

    /// Adds all characters of a set.
    fn add(&mut self, set: &Set) {
        match set {
            Set::Character(character) => self.ranges.push((*character, *character)),
            Set::NotLineFeed => self.ranges.extend([('\0', '\t'), ('\x0b', char::MAX)]),
            Set::Class(class) if !class.is_negated => self.ranges.extend(&class.ranges),
            Set::Class(class) => self.add_others(class.ranges.clone()),
        }
    }

    /// Adds all characters outside of some ranges.
    fn add_others(&mut self, mut ranges: Vec<(char, char)>) {
        ranges.sort_unstable();
        let mut low = Some('\0');
        for (first, last) in ranges {
            if let Some(low) = low
                && let Some(high) = ('\0'..first).next_back()
                && low <= high
            {
                self.ranges.push((low, high));
            }
            let next = (last..=char::MAX).nth(1);
            low = low.and_then(|low| next.map(|next| low.max(next)));
        }
        if let Some(low) = low {
            self.ranges.push((low, char::MAX));
        }
    }
}

/// Parses a class, after its opening bracket.
pub(super) fn parse(rest: &mut Peekable<Chars<'_>>) -> Result<Set, String> {
    let open = || "a bracket is not closed".to_owned();
    let mut class = Class {
        is_negated: rest.next_if_eq(&'^').is_some(),
        ranges: Vec::new(),
    };
    let mut is_first = true;
    // Whether a `:]` may follow. It is not searched again from each bracket.
    let mut may_have_names = true;
    loop {
        let character = rest.next().ok_or_else(open)?;
        if character == ']' && !is_first {
            return Ok(Set::Class(Box::new(class)));
        }
        is_first = false;
        if character == '[' && may_have_names && rest.peek() == Some(&':') {
            match end_of_name(rest) {
                None => may_have_names = false,
                // `[:]` has no name.
                Some(0) => {}
                Some(length) => {
                    class.add(&named(rest, length)?);
                    continue;
                }
            }
        }
        let low = match character {
            '\\' => match escape(rest)? {
                Escape::Set(Set::Character(character)) => character,
                Escape::Set(set) => {
                    class.add(&set);
                    continue;
                }
                Escape::Place(_) => return Err("an assertion in brackets".to_owned()),
            },
            _ => character,
        };
        let mut high = low;
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && !matches!(ahead.next(), None | Some(']')) {
            rest.next();
            high = match rest.next().ok_or_else(open)? {
                '\\' => match escape(rest)? {
                    Escape::Set(Set::Character(character)) => character,
                    _ => return Err("a range without an end".to_owned()),
                },
                character => character,
            };
            if high < low {
                return Err(format!("the range `{low}-{high}` is empty"));
            }
        }
        class.ranges.push((low, high));
    }
}

/// Returns the position of the next `:]`, in characters.
fn end_of_name(rest: &Peekable<Chars<'_>>) -> Option<usize> {
    let behind = rest.clone().skip(1);
    rest.clone().zip(behind).position(|pair| pair == (':', ']'))
}

/// Parses `[:name:]` within a class, after its opening bracket. The second colon is at `end`.
fn named(rest: &mut Peekable<Chars<'_>>, end: usize) -> Result<Set, String> {
    let text: String = rest.by_ref().take(end + 2).collect();
    let name = &text[1..text.len() - 2];
    let positive = name.strip_prefix('^').unwrap_or(name);
    let ranges: &[(char, char)] = match positive {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(format!("there is no class `[:{name}:]`")),
    };
    Ok(Set::Class(Box::new(Class {
        is_negated: positive != name,
        ranges: ranges.to_vec(),
    })))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn members() {
        for (text, inside, outside) in [
            ("a]", "a", "b"),
            ("^a]", "b\n", "a"),
            ("a-c]", "abc", "d-"),
            ("]a]", "]a", "b"),
            ("a-]", "a-", "b"),
            ("-a]", "-a", "b"),
            (r"\d\n]", "09\n", "nd"),
            (r"\D]", "a-\u{10ffff}", "059"),
            (r"^\D]", "059", "a"),
            (r"\Wx]", "-x é", "ay_"),
            (r"^\S]", " \t\n", "a\u{b}"),
            (r"\x41-\x{43}]", "ABC", "D"),
            ("[:digit:]x]", "3x", "d:["),
            ("[:^digit:]]", "a:\u{e000}\u{d7ff}", "0"),
            ("^[:^space:]]", " \u{b}", "a"),
            ("[:]", "[:", "d"),
            ("a&&b]", "ab&", "c"),
        ] {
            let set = parse(&mut text.chars().peekable()).unwrap();
            for character in inside.chars() {
                assert!(set.contains(character), "{text} {character:?}");
            }
            for character in outside.chars() {
                assert!(!set.contains(character), "{text} {character:?}");
            }
        }
        for text in ["", "a", "]", r"\b]", "z-a]", r"a-\d]", "[:nope:]]", r"\"] {
            assert!(parse(&mut text.chars().peekable()).is_err(), "{text}");
        }
    }
}
