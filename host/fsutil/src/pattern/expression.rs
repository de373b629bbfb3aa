//! The regular expressions that Go's matcher makes of patterns, and how they match.
//!
//! Such an expression is a sequence of characters and classes, some repeated, anchored at both ends. It
//! needs a few bytes for each character and matches in a time that is linear in the path, so many or
//! malicious patterns cost little. A general regular expression needs tens of kilobytes.

use std::iter::Peekable;
use std::str::Chars;

mod class;

pub(super) use class::Set;

/// An expression that matches a whole path.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    steps: Box<[Step]>,
    /// Characters that every match begins and ends with.
    beginning: Box<str>,
    end: Box<str>,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// One character.
    One(Set),
    /// Any number of characters.
    Many(Set),
    /// The next two steps, or none of them.
    Optional,
    /// A place between two characters.
    At(Place),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Start,
    End,
    WordBoundary,
    NoWordBoundary,
}

/// What a backslash and the characters after it mean.
enum Escape {
    Set(Set),
    Place(Place),
}

impl Expression {
    /// Parses an expression of Go's matcher: everything between `^` and `$`. The error is a reason.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            let set = match character {
                '\\' => match escape(&mut rest)? {
                    Escape::Set(set) => set,
                    Escape::Place(place) => {
                        steps.push(Step::At(place));
                        continue;
                    }
                },
                '[' => class::parse(&mut rest)?,
                '^' => {
                    steps.push(Step::At(Place::Start));
                    continue;
                }
                // Only `(.*/)?`: parentheses of a pattern are escaped.
                '(' => {
                    steps.push(Step::Optional);
                    continue;
                }
                ')' => {
                    rest.next_if_eq(&'?');
                    continue;
                }
                '.' => Set::NotLineFeed,
                character => Set::Character(character),
            };
            steps.push(if rest.next_if_eq(&'*').is_some() {
                Step::Many(set)
            } else {
                Step::One(set)
            });
        }
        let literal = |step: &Step| match step {
            Step::One(Set::Character(character)) => Some(*character),
            _ => None,
        };
        let beginning: String = steps.iter().map_while(literal).collect();
        let end: Vec<char> = steps.iter().rev().map_while(literal).collect();
        // The slash of an optional part is not required.
        let is_optional = |at: usize| matches!(steps.get(at), Some(Step::Optional));
        let required = match steps.len().checked_sub(end.len() + 2) {
            Some(before) if is_optional(before) => end.len().saturating_sub(1),
            _ => end.len(),
        };
        let end = &end[..required];
        Ok(Self {
            beginning: beginning.into(),
            end: end.iter().rev().collect::<String>().into(),
            steps: steps.into(),
        })
    }

    /// Returns whether the whole path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        if !path.starts_with(&*self.beginning) || !path.ends_with(&*self.end) {
            return false;
        }
        let mut now = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        let mut rest = path.chars();
        self.reach(&mut now, 0, None, rest.clone().next());
        while let Some(character) = rest.next() {
            let after = rest.clone().next();
            for state in now.take() {
                let (set, target) = match &self.steps[state] {
                    Step::One(set) => (set, state + 1),
                    Step::Many(set) => (set, state),
                    Step::Optional | Step::At(_) => continue,
                };
                if set.contains(character) {
                    self.reach(&mut next, target, Some(character), after);
                }
            }
            std::mem::swap(&mut now, &mut next);
            if now.list.is_empty() {
                return false;
            }
        }
        now.is_at_end
    }

    /// Adds a state, and those that it leads to without a character.
    fn reach(&self, states: &mut States, state: usize, before: Option<char>, after: Option<char>) {
        states.waiting.push(state);
        while let Some(mut state) = states.waiting.pop() {
            while states.add(state) {
                match self.steps.get(state) {
                    Some(Step::Many(_)) => state += 1,
                    Some(Step::Optional) => {
                        states.waiting.push(state + 1);
                        state += 3;
                    }
                    Some(Step::At(place)) if place.is_between(before, after) => state += 1,
                    Some(Step::One(_) | Step::At(_)) | None => break,
                }
            }
        }
    }
}

/// A set of states: numbers of steps, and the end.
struct States {
    list: Vec<usize>,
    has: Vec<u64>,
    /// States that are yet to be added.
    waiting: Vec<usize>,
    end: usize,
    is_at_end: bool,
}

impl States {
    fn new(end: usize) -> Self {
        Self {
            list: Vec::new(),
            has: vec![0; end / 64 + 1],
            waiting: Vec::new(),
            end,
            is_at_end: false,
        }
    }

    /// Adds a state. Returns false if it is there.
    fn add(&mut self, state: usize) -> bool {
        let (word, bit) = (state / 64, 1 << (state % 64));
        if self.has[word] & bit != 0 {
            return false;
        }
        self.has[word] |= bit;
        if state == self.end {
            self.is_at_end = true;
        }
        self.list.push(state);
        true
    }

    /// Removes all states, and returns those that take a character.
    fn take(&mut self) -> impl Iterator<Item = usize> + use<'_> {
        for state in &self.list {
            self.has[state / 64] = 0;
        }
        self.is_at_end = false;
        let end = self.end;
        self.list.drain(..).filter(move |state| *state != end)
    }
}

impl Place {
    fn is_between(self, before: Option<char>, after: Option<char>) -> bool {
        let is_word = |side: Option<char>| {
            side.is_some_and(|character| character.is_ascii_alphanumeric() || character == '_')
        };
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::WordBoundary => is_word(before) != is_word(after),
            Self::NoWordBoundary => is_word(before) == is_word(after),
        }
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<Escape, String> {
    let Some(character) = rest.next() else {
        return Err("it ends in a backslash".to_owned());
    };
    let literal = match character {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => return Ok(Escape::Set(Set::perl(character))),
        'b' => return Ok(Escape::Place(Place::WordBoundary)),
        'B' => return Ok(Escape::Place(Place::NoWordBoundary)),
        'A' => return Ok(Escape::Place(Place::Start)),
        'z' => return Ok(Escape::Place(Place::End)),
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => hexadecimal(rest)?,
        '0'..='7' => octal(character, rest)?,
        _ if character.is_ascii() && !character.is_ascii_alphanumeric() => character,
        _ => return Err(format!("it has the escape `\\{character}`")),
    };
    Ok(Escape::Set(Set::Character(literal)))
}

fn hexadecimal(rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let bad = || "`\\x` needs two hexadecimal digits, or some in braces".to_owned();
    let mut value = 0;
    let braces = rest.next_if_eq(&'{').is_some();
    let mut digits = 0;
    while braces || digits < 2 {
        let character = rest.next().ok_or_else(bad)?;
        if braces && character == '}' && digits > 0 {
            break;
        }
        value = value * 16 + character.to_digit(16).ok_or_else(bad)?;
        digits += 1;
        if digits > 6 {
            return Err(bad());
        }
    }
    char::from_u32(value).ok_or_else(bad)
}

fn octal(first: char, rest: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let is_octal = |character: &char| ('0'..='7').contains(character);
    if first != '0' && !rest.peek().is_some_and(is_octal) {
        return Err(format!("it has the escape `\\{first}`, a back reference"));
    }
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        match rest.next_if(is_octal).and_then(|digit| digit.to_digit(8)) {
            Some(digit) => value = value * 8 + digit,
            None => break,
        }
    }
    char::from_u32(value).ok_or_else(|| "octal escape".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::super::translate::{GoMatch, go_match};
    use super::*;

    fn pattern() -> impl Strategy<Value = String> {
        let parts = vec![
            "a", "b", "/", "*", "**", "**/", "?", ".", "é", "[ab]", "[^a]", "[a-c]", "\\*", "+",
        ];
        prop::collection::vec(prop::sample::select(parts), 1..8).prop_map(|parts| parts.concat())
    }

    fn path() -> impl Strategy<Value = String> {
        let parts = vec!["a", "b", "ab", "/", ".", "é", "*", "\n", "+"];
        prop::collection::vec(prop::sample::select(parts), 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

        /// These patterns mean the same to the `regex` crate.
        #[test]
        fn a_general_regular_expression_matches_the_same(
            pattern in pattern(),
            paths in prop::collection::vec(path(), 1..6),
        ) {
            if let GoMatch::Regex(go) = go_match(&pattern) {
                let regex = regex::Regex::new(&format!("^(?:{go})$")).unwrap();
                let expression = Expression::parse(&go).unwrap();
                for path in paths {
                    let expected = regex.is_match(&path);
                    prop_assert_eq!(expression.matches(&path), expected, "{} {:?}", go, path);
                }
            }
        }
    }

    /// A backtracking matcher would not come to an end.
    #[test]
    fn time_is_linear() {
        let pattern = "*a".repeat(500);
        let GoMatch::Regex(go) = go_match(&pattern) else {
            panic!("no regular expression")
        };
        let path = "a".repeat(4000);
        let expression = Expression::parse(&go).unwrap();
        assert!(expression.matches(&path));
        assert!(!expression.matches(&format!("{path}/a")));
        assert!(!expression.matches(&path[..499]));
    }
}
