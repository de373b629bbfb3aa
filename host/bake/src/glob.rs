//! Patterns of names, as Go's `path.Match`.

/// Returns whether a pattern matches a name, or `None` if the pattern is wrong. `*` matches any characters,
/// `?` one, `[a-z]` one of a class, and a character after `\` itself.
pub fn matches(pattern: &str, name: &str) -> Option<bool> {
    let tokens = parse(pattern)?;
    let name: Vec<char> = name.chars().collect();
    // Which prefixes of the name the tokens so far match.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for token in &tokens {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            if !reached[at] {
                continue;
            }
            match token {
                Token::Any => next[at..].fill(true),
                Token::One(class) => {
                    if name
                        .get(at)
                        .is_some_and(|character| class.contains(*character))
                    {
                        next[at + 1] = true;
                    }
                }
            }
        }
        reached = next;
    }
    Some(reached[name.len()])
}

enum Token {
    Any,
    One(Class),
}

struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, character: char) -> bool {
        let found = self
            .ranges
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&character));
        found != self.negated
    }
}

fn parse(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let single = |character| vec![(character, character)];
        let (negated, ranges) = match character {
            '*' => {
                if !matches!(tokens.last(), Some(Token::Any)) {
                    tokens.push(Token::Any);
                }
                continue;
            }
            '?' => (true, Vec::new()),
            '\\' => (false, single(characters.next()?)),
            '[' => {
                let negated = characters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || characters.peek() != Some(&']') {
                    let from = class_character(&mut characters)?;
                    let to = match characters.next_if_eq(&'-') {
                        Some(_) => class_character(&mut characters)?,
                        None => from,
                    };
                    ranges.push((from, to));
                }
                characters.next();
                (negated, ranges)
            }
            other => (false, single(other)),
        };
        tokens.push(Token::One(Class { negated, ranges }));
    }
    Some(tokens)
}

fn class_character(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*", "", Some(true)),
            ("a*c", "abbc", Some(true)),
            ("a*c", "abbd", Some(false)),
            ("a?c", "abc", Some(true)),
            ("[a-c]x", "bx", Some(true)),
            ("[^a-c]x", "bx", Some(false)),
            ("\\*", "*", Some(true)),
            ("[a", "a", None),
            ("[]a]", "a", None),
        ] {
            assert_eq!(super::matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
