//! Makes foreign text safe to display.
//!
//! Text of drivers, daemons, engines, registries and files is not trusted. Displayed unchanged, it
//! could move the cursor, change the terminal's title, change the order in which words are displayed,
//! or imitate lines of the program. Every crate that displays such text or passes it on uses the
//! functions here:
//!
//! - [`clean_line`] returns one line: for names, versions, cells of tables.
//! - [`clean`] keeps the lines of a text.
//! - [`clean_block`] keeps the lines, but none after the first begins at the left edge: for errors.
//! - [`unmarked`] is for a line that begins with foreign text.
//! - [`json`] escapes characters that JSON itself permits.
//! - [`Sanitizer`] cleans a stream that arrives in pieces and keeps its colours: for logs.
//! - [`displayable`] is the last check before text is written to a terminal.
//!
//! [`nearest`] finds the word that was most likely meant.

mod nearest;
mod stream;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use nearest::nearest;
pub use stream::{RESET, Sanitizer};

/// The beginning of each line of a block after the first.
const INDENT: &str = "  ";

/// The words that begin the program's own lines.
const MARKS: [&str; 4] = ["error", "warning", "warn", "hint"];

/// Checks whether a character can be displayed within a line: it is neither a control character nor an
/// invisible one that changes how its neighbours are displayed.
pub fn is_displayable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    !character.is_control() && !is_invisible(character)
}

/// Checks for Unicode's format characters (category Cf: marks of direction, joiners, tags), and for
/// its line and paragraph separators.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Removes escape sequences, control characters and invisible characters, and truncates the text to
/// `most` characters. Line feeds and tabs stay; a carriage return ends a line, too.
pub fn clean(text: &str, most: usize) -> String {
    // Text far beyond the limit is not examined.
    let seen = text.floor_char_boundary(most.saturating_mul(8).saturating_add(4096));
    let is_cut = seen < text.len();
    let text = &text[..seen];
    let is_plain = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    let mut clean = if text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        Sanitizer::without_colours().feed(text.as_bytes())
    };
    let end = clean.char_indices().nth(most).map(|(end, _)| end);
    if let Some(end) = end {
        clean.truncate(end);
    }
    if is_cut || end.is_some() {
        clean.push('…');
    }
    clean
}

/// Does what [`clean`] does, and puts everything on one line: a line feed or a tab becomes a space.
pub fn clean_line(text: &str, most: usize) -> String {
    clean(text, most).replace(['\n', '\t'], " ")
}

/// Does what [`clean`] does, and indents each line after the first, so that it cannot be mistaken for
/// a line of the program. Removes line feeds at the end.
pub fn clean_block(text: &str, most: usize) -> String {
    let clean = clean(text, most);
    let mut block = String::with_capacity(clean.len());
    for (number, line) in clean.trim_end_matches('\n').split('\n').enumerate() {
        if number > 0 {
            block.push('\n');
            if !line.is_empty() && !line.starts_with([' ', '\t']) {
                block.push_str(INDENT);
            }
        }
        block.push_str(line);
    }
    block
}

/// Indents a line by one space if it begins like the program's own errors, warnings, hints and steps.
pub fn unmarked(line: &str) -> Cow<'_, str> {
    let looks_marked = MARKS.iter().any(|mark| {
        line.get(..mark.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(mark))
            && !line[mark.len()..].starts_with(char::is_alphanumeric)
    }) || line
        .strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if looks_marked {
        Cow::Owned(format!(" {line}"))
    } else {
        Cow::Borrowed(line)
    }
}

/// Escapes characters that JSON permits in strings but that must not reach a terminal. `json` is a JSON
/// text; its meaning does not change.
pub fn json(json: &str) -> Cow<'_, str> {
    // JSON has line feeds only between its strings, not within them.
    let plain = |c: char| c == '\n' || is_displayable(c);
    if json.chars().all(plain) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if plain(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    Cow::Owned(escaped)
}

/// Removes everything that must not reach a terminal, independent of earlier checks: all control
/// characters except line feeds and tabs, and all invisible characters. With `colours`, sequences that
/// set a colour stay.
pub fn displayable(text: &str, colours: bool) -> Cow<'_, str> {
    let passes = |c: char| matches!(c, '\n' | '\t') || is_displayable(c);
    if text.chars().all(passes) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = if colours { colour_length(rest) } else { None };
        let length = colour.unwrap_or(character.len_utf8());
        if colour.is_some() || passes(character) {
            kept.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    Cow::Owned(kept)
}

/// Returns the length of the colour sequence at the beginning of a text.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    let length = "\x1b[".len() + end + 1;
    parameters[end..].starts_with('m').then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_removed() {
        for (text, expected) in [
            ("a\x1b[2Jb\x1b[31mc", "abc"),
            ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
            ("a\rb\r\nc", "a\nb\nc"),
            ("a\u{9b}31mb\u{85}c\u{7f}\0d", "abcd"),
            // A terminal would display "nogrant".
            ("no\u{202e}tnarg\u{2066}\u{200b}\u{2028}\u{feff}", "notnarg"),
            ("a\tb\nc", "a\tb\nc"),
        ] {
            assert_eq!(clean(text, 100), expected, "{text:?}");
        }
        assert_eq!(clean_line("a\nb\tc\rd", 100), "a b c d");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(clean("äöüß", 3), "äöü…");
        assert_eq!(clean("äöü", 3), "äöü");
        assert_eq!(clean("\x1b[31mäöüß", 3), "äöü…");
        assert_eq!(clean(&("\0".repeat(1 << 20) + "a"), 3), "…");
    }

    #[test]
    fn no_further_line_of_a_block_begins_at_the_left() {
        for (text, expected) in [
            ("1\nERROR: x\nhint: y\n", "1\n  ERROR: x\n  hint: y"),
            ("a\n\n  b\n\tc\rd", "a\n\n  b\n\tc\n  d"),
            ("a\n\u{a0}b\n\u{2003}c", "a\n  \u{a0}b\n  \u{2003}c"),
            ("a\n\x1b[2Jb\n\u{200b}c", "a\n  b\n  c"),
            ("", ""),
        ] {
            assert_eq!(clean_block(text, 100), expected, "{text:?}");
            let again = clean_block(&clean_block(text, 100), 100);
            assert_eq!(again, expected, "{text:?}, twice");
        }
    }

    #[test]
    fn a_line_does_not_begin_like_one_of_the_programs() {
        for text in [
            "ERROR: x",
            "error",
            "Warning! x",
            "WARN: x",
            "hint: x",
            "HINT",
            "#1 DONE",
        ] {
            assert_eq!(unmarked(text), format!(" {text}"));
        }
        for text in [
            "errors",
            "hints: 1",
            "#",
            "# 1",
            "an ERROR: x",
            "",
            "fehler",
            "ärror",
        ] {
            assert_eq!(unmarked(text), text);
        }
    }

    #[test]
    fn json_means_the_same_and_is_displayable() {
        let value = serde_json::json!({
            "\u{202e}key": ["\x1b[2J\u{7f}", "\u{9b}31m", "a\u{2028}b", "\u{e0041}", "ä€😀\n"],
        });
        for text in [value.to_string(), format!("{value:#}")] {
            let escaped = json(&text);
            assert!(
                escaped.chars().all(|c| c == '\n' || is_displayable(c)),
                "{escaped:?}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&escaped).ok(),
                Some(value.clone())
            );
        }
        assert!(matches!(json("{\"a\": \"ä\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_last_check_passes_text_and_colours_only() {
        let text = "a\tb\n\x1b[31;1mc\x1b[0m\x1b[2J\u{9b}m\r\x07\u{202e}\x1b[3\x1b[mä";
        assert_eq!(
            displayable(text, true),
            "a\tb\n\x1b[31;1mc\x1b[0m[2Jm[3\x1b[mä"
        );
        assert_eq!(displayable(text, false), "a\tb\n[31;1mc[0m[2Jm[3[mä");
    }
}
