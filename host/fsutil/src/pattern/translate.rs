//! Translates a pattern: first to the regular expression that Go's matcher makes of it, then to one
//! with the same meaning for the `regex` crate.
//!
//! There are two steps because the first is imprecise in visible ways: it does not know brackets,
//! so `*` within them becomes a class in a class, and it copies `\d` although the file match means
//! a `d`.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use super::{Kind, lossy};

/// The method that Go's matcher uses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GoMatch {
    Exact,
    Prefix,
    Suffix,
    Regex(String),
}

/// Decides how to match a clean pattern without `!`.
pub(super) fn compile(pattern: &[u8]) -> Kind {
    match go_match(&lossy(pattern)) {
        GoMatch::Exact => Kind::Exact,
        GoMatch::Prefix => Kind::Prefix,
        GoMatch::Suffix => Kind::Suffix,
        GoMatch::Regex(expression) => {
            let regex = to_rust(&expression)
                .and_then(|regex| Regex::new(&regex).map_err(|error| error.to_string()));
            match regex {
                Ok(regex) => Kind::Regex(regex),
                Err(reason) => Kind::Broken(reason),
            }
        }
    }
}

/// Does the first step, as `Pattern.compile` of Go's matcher.
pub(super) fn go_match(pattern: &str) -> GoMatch {
    let mut regex = String::from("^");
    let mut kind = GoMatch::Exact;
    let mut characters = pattern.chars().peekable();
    let is_regex = || GoMatch::Regex(String::new());
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.next_if_eq(&'*').is_some() => {
                // `**/` is `**`.
                characters.next_if_eq(&'/');
                if characters.peek().is_some() {
                    regex.push_str("(.*/)?");
                    kind = is_regex();
                } else if kind == GoMatch::Exact {
                    kind = GoMatch::Prefix;
                } else {
                    regex.push_str(".*");
                    kind = is_regex();
                }
                if first {
                    kind = GoMatch::Suffix;
                }
            }
            '*' => {
                regex.push_str("[^/]*");
                kind = is_regex();
            }
            '?' => {
                regex.push_str("[^/]");
                kind = is_regex();
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                regex.push('\\');
                regex.push(character);
            }
            '\\' => {
                regex.push('\\');
                if let Some(escaped) = characters.next() {
                    regex.push(escaped);
                    kind = is_regex();
                }
            }
            '[' | ']' => {
                regex.push(character);
                kind = is_regex();
            }
            _ => regex.push(character),
        }
        first = false;
    }
    if kind == is_regex() {
        regex.push('$');
        kind = GoMatch::Regex(regex);
    }
    kind
}

/// Does the second step. Copies everything except escapes and classes, whose syntax differs.
fn to_rust(go: &str) -> Result<String, String> {
    let mut rust = String::with_capacity(go.len() + 16);
    let mut rest = go.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match escape(&mut rest)? {
                Escape::Character(character) => push_literal(&mut rust, character),
                Escape::Class(class) => rust.push_str(class),
                Escape::Assertion(assertion) => rust.push_str(assertion),
            },
            '[' => class(&mut rest, &mut rust)?,
            ']' => rust.push_str("\\]"),
            _ => rust.push(character),
        }
    }
    Ok(rust)
}

/// The meaning of a backslash and what follows it in Go.
enum Escape {
    Character(char),
    Class(&'static str),
    Assertion(&'static str),
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<Escape, String> {
    let Some(character) = rest.next() else {
        return Err("it ends in a backslash".to_owned());
    };
    let class = match character {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => "",
    };
    if !class.is_empty() {
        return Ok(Escape::Class(class));
    }
    let control = match character {
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        _ => '\0',
    };
    if control != '\0' {
        return Ok(Escape::Character(control));
    }
    match character {
        'b' => Ok(Escape::Assertion(r"(?-u:\b)")),
        'B' => Ok(Escape::Assertion(r"(?-u:\B)")),
        'A' => Ok(Escape::Assertion(r"\A")),
        'z' => Ok(Escape::Assertion(r"\z")),
        'x' => hexadecimal(rest),
        '0'..='7' => octal(character, rest),
        _ if character.is_ascii() && !character.is_ascii_alphanumeric() => {
            Ok(Escape::Character(character))
        }
        _ => Err(format!("it has the escape `\\{character}`")),
    }
}

fn hexadecimal(rest: &mut Peekable<Chars<'_>>) -> Result<Escape, String> {
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
    char::from_u32(value).map(Escape::Character).ok_or_else(bad)
}

fn octal(first: char, rest: &mut Peekable<Chars<'_>>) -> Result<Escape, String> {
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
    char::from_u32(value)
        .map(Escape::Character)
        .ok_or_else(|| "octal escape".to_owned())
}

/// Translates a class, after its opening bracket. Rust's classes nest and have `&&`, `--` and `~~`;
/// Go's do not.
fn class(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Result<(), String> {
    let open = || "a bracket is not closed".to_owned();
    rust.push('[');
    if rest.next_if_eq(&'^').is_some() {
        rust.push('^');
    }
    let mut first = true;
    loop {
        let character = rest.next().ok_or_else(open)?;
        if character == ']' && !first {
            rust.push(']');
            return Ok(());
        }
        first = false;
        if character == '['
            && rest.peek() == Some(&':')
            && let Some(name) = posix_class(rest)?
        {
            rust.push_str(&name);
            continue;
        }
        let low = match character {
            '\\' => match escape(rest)? {
                Escape::Character(character) => character,
                Escape::Class(class) => {
                    rust.push_str(class);
                    continue;
                }
                Escape::Assertion(_) => return Err("an assertion in brackets".to_owned()),
            },
            _ => character,
        };
        push_class_literal(rust, low);
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && !matches!(ahead.next(), None | Some(']')) {
            rest.next();
            let high = match rest.next().ok_or_else(open)? {
                '\\' => match escape(rest)? {
                    Escape::Character(character) => character,
                    _ => return Err("a range without an end".to_owned()),
                },
                character => character,
            };
            if high < low {
                return Err(format!("the range `{low}-{high}` is empty"));
            }
            rust.push('-');
            push_class_literal(rust, high);
        }
    }
}

/// Reads `[:name:]` within a class, after its opening bracket. Returns `None` and takes nothing if
/// there is none.
fn posix_class(rest: &mut Peekable<Chars<'_>>) -> Result<Option<String>, String> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let text: String = rest.clone().collect();
    let Some(end) = text.find(":]").filter(|end| *end >= 1) else {
        return Ok(None);
    };
    let name = &text[1..end];
    if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(format!("there is no class `[:{name}:]`"));
    }
    for _ in text[..end + 2].chars() {
        rest.next();
    }
    Ok(Some(format!("[:{name}:]")))
}

fn push_literal(rust: &mut String, character: char) {
    rust.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}

fn push_class_literal(rust: &mut String, character: char) {
    if matches!(character, '[' | ']' | '^' | '-' | '&' | '~' | '\\') {
        rust.push('\\');
    }
    rust.push(character);
}
