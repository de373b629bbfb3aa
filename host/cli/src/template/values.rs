//! The values of templates, and JSON.
//!
//! A template may add line feeds and tabs; the data may not. Characters of the data that cannot be
//! displayed within a line are therefore written as an introducer, their number and a semicolon until
//! the output is put together. `json` gets them back as they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gotmpl::Value;
use iechor_text::{clean_line, is_displayable};

/// Introduces a character that was replaced: the last character for private use.
const INTRODUCER: char = '\u{10FFFD}';

/// Digits of the highest character.
const MOST_DIGITS: usize = 6;

/// Turns JSON into the value of a template.
pub fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::Uint(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::String(encode(text).into()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(from_json).collect()),
        serde_json::Value::Object(fields) => {
            let fields: BTreeMap<Arc<str>, Value> = fields
                .iter()
                .map(|(key, value)| (encode(key).into(), from_json(value)))
                .collect();
            Value::Map(Arc::new(fields))
        }
    }
}

/// Turns the value of a template into JSON.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::Function(_) => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => decode(text).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|(key, value)| (decode(key), to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Returns the size of a value: bytes of text, and one for each other value.
pub fn size(value: &Value) -> u64 {
    let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
    1 + match value {
        Value::String(text) => length(text),
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(fields) => fields
            .iter()
            .map(|(key, value)| length(key) + size(value))
            .sum(),
        _ => 0,
    }
}

/// Returns the text of a value as a line can have it. Line feeds and tabs of the template stay.
pub fn shown(value: &Value) -> String {
    let text = match value {
        // What Go prints.
        Value::Nil => "<no value>".to_owned(),
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    };
    text.split_inclusive(['\n', '\t'])
        .map(|piece| {
            let of_data = piece.trim_end_matches(['\n', '\t']);
            let clean = clean_line(&decode(of_data), usize::MAX);
            clean + &piece[of_data.len()..]
        })
        .collect()
}

/// Returns the characters of a text; one that was replaced is one.
pub fn characters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = match replaced(rest) {
            Some((_, length)) => length,
            None => first.len_utf8(),
        };
        let (character, behind) = rest.split_at(length);
        rest = behind;
        Some(character)
    })
}

fn encode(text: &str) -> String {
    let stays = |c: char| is_displayable(c) && c != INTRODUCER;
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if stays(character) {
            encoded.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "{INTRODUCER}{:x};", u32::from(character));
        }
    }
    encoded
}

fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    for character in characters(text) {
        match replaced(character) {
            Some((original, _)) => decoded.push(original),
            // The rest of one that the template cut.
            None if character.starts_with(INTRODUCER) => {}
            None => decoded.push_str(character),
        }
    }
    decoded
}

/// Returns the character that a text begins with in place of another, and the length of that.
fn replaced(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix(INTRODUCER)?;
    let end = digits
        .bytes()
        .take(MOST_DIGITS + 1)
        .position(|b| b == b';')?;
    let number = u32::from_str_radix(digits.get(..end)?, 16).ok()?;
    let length = INTRODUCER.len_utf8() + end + 1;
    char::from_u32(number).map(|original| (original, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_was() {
        let json = serde_json::json!({
            "a\n": ["\u{10FFFD}a;", "\x1b[2J\u{202e}\0", "", "é\t"],
            "n": [1, -1, u64::MAX, 1.5, true, null],
        });
        assert_eq!(to_json(&from_json(&json)), json);
    }

    #[test]
    fn what_a_template_cut_is_dropped() {
        for text in [
            "\u{10FFFD}",
            "\u{10FFFD}a",
            "\u{10FFFD};",
            "\u{10FFFD}d800;",
        ] {
            let decoded = decode(text);
            assert!(!decoded.contains(INTRODUCER), "{decoded:?}");
        }
        assert_eq!(decode("\u{10FFFD}\u{10FFFD}a;b"), "\nb");
    }
}
