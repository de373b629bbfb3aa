//! Texts. Lengths and offsets count characters as people see them (grapheme clusters).

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Computed, Context, Row, failed, items, number, string, strings, text, whole, wrong};
use crate::value::Value;

pub const FUNCTIONS: &[Row] = &[
    ("upper", &[string("str")], None, |_, values| {
        Ok(Value::from(each_character(text(values, 0), |c| {
            single(c.to_uppercase(), c)
        })))
    }),
    ("lower", &[string("str")], None, |_, values| {
        Ok(Value::from(each_character(text(values, 0), |c| {
            single(c.to_lowercase(), c)
        })))
    }),
    ("title", &[string("str")], None, |_, values| {
        Ok(Value::from(title(text(values, 0))))
    }),
    ("strlen", &[string("str")], None, |_, values| {
        Ok(Value::number(text(values, 0).graphemes(true).count()))
    }),
    ("reverse", &[string("str")], None, |_, values| {
        Ok(Value::from(
            text(values, 0).graphemes(true).rev().collect::<String>(),
        ))
    }),
    (
        "substr",
        &[string("str"), number("offset"), number("length")],
        None,
        |_, values| substring(values),
    ),
    (
        "split",
        &[string("separator"), string("str")],
        None,
        |_, values| Ok(split(values)),
    ),
    ("join", &[string("separator")], Some(strings("lists")), join),
    (
        "replace",
        &[string("str"), string("substr"), string("replace")],
        None,
        replace,
    ),
    (
        "trim",
        &[string("str"), string("cutset")],
        None,
        |_, values| {
            let cut = text(values, 1);
            Ok(Value::from(
                text(values, 0).trim_matches(|c| cut.contains(c)),
            ))
        },
    ),
    ("trimspace", &[string("str")], None, |_, values| {
        Ok(Value::from(text(values, 0).trim()))
    }),
    (
        "trimprefix",
        &[string("str"), string("prefix")],
        None,
        |_, values| {
            let whole = text(values, 0);
            Ok(Value::from(
                whole.strip_prefix(text(values, 1)).unwrap_or(whole),
            ))
        },
    ),
    (
        "trimsuffix",
        &[string("str"), string("suffix")],
        None,
        |_, values| {
            let whole = text(values, 0);
            Ok(Value::from(
                whole.strip_suffix(text(values, 1)).unwrap_or(whole),
            ))
        },
    ),
    ("chomp", &[string("str")], None, |_, values| {
        Ok(Value::from(text(values, 0).trim_end_matches(['\r', '\n'])))
    }),
    ("indent", &[number("spaces"), string("str")], None, indent),
    ("sort", &[strings("list")], None, |_, values| sort(values)),
];

/// Maps each character to one character, as Go does: `ß` has no capital.
fn each_character(text: &str, map: impl Fn(char) -> char) -> String {
    text.chars().map(map).collect()
}

/// Returns the only character of a mapping, or the original.
fn single(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => original,
    }
}

/// Changes the first letter of each word to a capital. Letters, digits and `_` are in words.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        let in_word = before.is_alphanumeric()
            || before == '_'
            || !before.is_ascii() && !before.is_whitespace();
        result.push(if in_word {
            character
        } else {
            single(character.to_uppercase(), character)
        });
        before = character;
    }
    result
}

fn substring(values: &[Value]) -> Computed {
    let characters: Vec<&str> = text(values, 0).graphemes(true).collect();
    let offset = whole(values, 1, "")?;
    let length = whole(values, 2, "")?;
    if offset >= 0 && length == 0 {
        return Ok(Value::from(""));
    }
    let total = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let offset = if offset < 0 {
        (total + offset).max(0)
    } else {
        offset
    };
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| characters.get(offset..));
    let rest = rest.unwrap_or_default();
    // A length of zero with a negative offset is the rest, as in docker buildx.
    let count = match usize::try_from(length) {
        Ok(length @ 1..) => length.min(rest.len()),
        _ => rest.len(),
    };
    Ok(Value::from(rest[..count].concat()))
}

fn split(values: &[Value]) -> Value {
    let (separator, whole) = (text(values, 0), text(values, 1));
    if separator.is_empty() {
        return Value::strings(whole.chars().map(|character| character.to_string()));
    }
    Value::strings(whole.split(separator))
}

fn join(context: &Context<'_>, values: &[Value]) -> Computed {
    let separator = text(values, 0);
    if values.len() < 2 {
        return Err(failed("at least one list is required"));
    }
    let several = values.len() > 2;
    let mut parts = Vec::new();
    let mut length = 0;
    for list in 1..values.len() {
        for (index, item) in items(values, list).iter().enumerate() {
            let Some(part) = item.as_str() else {
                let of_list = if several {
                    format!(" of list {list}")
                } else {
                    String::new()
                };
                let message =
                    format!("element {index}{of_list} is null; cannot concatenate null values");
                return Err(wrong(list, message));
            };
            length += part.len() + separator.len();
            parts.push(part);
        }
    }
    context.budget.check(length as u64)?;
    Ok(Value::from(parts.join(separator)))
}

fn replace(context: &Context<'_>, values: &[Value]) -> Computed {
    let (whole, old, new) = (text(values, 0), text(values, 1), text(values, 2));
    let count = whole.matches(old).count();
    context
        .budget
        .check((whole.len() + count.saturating_mul(new.len())) as u64)?;
    Ok(Value::from(whole.replace(old, new)))
}

fn indent(context: &Context<'_>, values: &[Value]) -> Computed {
    let spaces = whole(values, 0, "")?;
    let spaces = usize::try_from(spaces).unwrap_or(0);
    let whole = text(values, 1);
    let lines = whole.matches('\n').count();
    context
        .budget
        .check(lines.saturating_add(1).saturating_mul(spaces) as u64)?;
    Ok(Value::from(
        whole.replace('\n', &format!("\n{}", " ".repeat(spaces))),
    ))
}

fn sort(values: &[Value]) -> Computed {
    let mut texts = Vec::new();
    for (index, item) in items(values, 0).iter().enumerate() {
        match item.as_str() {
            Some(text) => texts.push(text),
            None => {
                return Err(failed(format!(
                    "given list element {index} is null; a null string cannot be sorted"
                )));
            }
        }
    }
    texts.sort_unstable();
    Ok(Value::strings(texts))
}
