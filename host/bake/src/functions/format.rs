//! `format` and `formatlist`.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Computed, Context, Row, any, failed, nullable, string, text, wrong};
use crate::value::convert::convert;
use crate::value::{Number, Type, Value, json};

pub const FUNCTIONS: &[Row] = &[
    (
        "format",
        &[string("format")],
        Some(nullable(any("args"))),
        |context, values| Ok(Value::from(apply(context, text(values, 0), &values[1..])?)),
    ),
    (
        "formatlist",
        &[string("format")],
        Some(nullable(any("args"))),
        format_list,
    ),
];

/// A verb such as `%-10.2f`.
#[derive(Debug, Default)]
struct Verb {
    /// The text of the verb.
    raw: String,
    /// Offset in the format, in bytes.
    offset: usize,
    mode: char,
    zero: bool,
    sharp: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// Number of the argument, from 1.
    argument: Option<usize>,
}

fn apply(context: &Context<'_>, format: &str, arguments: &[Value]) -> Computed<String> {
    let mut result = String::new();
    let mut next = 1;
    let mut highest = 0;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        result.push_str(&rest[..at]);
        let offset = format.len() - rest.len() + at;
        let (verb, length) = parse(&rest[at..], offset)?;
        rest = &rest[at + length..];
        if verb.mode == '%' {
            result.push('%');
            continue;
        }
        let number = verb.argument.unwrap_or(next);
        next = number + 1;
        highest = highest.max(number);
        let Some(argument) = number.checked_sub(1).and_then(|index| arguments.get(index)) else {
            return Err(failed(format!(
                "not enough arguments for {:?} at {}: need index {number} but have {} total",
                verb.raw,
                verb.offset,
                arguments.len()
            )));
        };
        let width = verb.width.unwrap_or(0).max(verb.precision.unwrap_or(0));
        context.budget.check((result.len() + width) as u64)?;
        write(&verb, argument, &mut result)?;
        context.budget.check(result.len() as u64)?;
    }
    result.push_str(rest);
    if highest < arguments.len() {
        return Err(if highest == 0 {
            wrong(1, "too many arguments; no verbs in format string")
        } else {
            wrong(
                highest + 1,
                format!("too many arguments; only {highest} used by format string"),
            )
        });
    }
    Ok(result)
}

/// Parses the verb at the beginning of a text, and returns its length.
fn parse(text: &str, offset: usize) -> Computed<(Verb, usize)> {
    let mut verb = Verb {
        offset,
        ..Verb::default()
    };
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(flag) = bytes.get(at) {
        match flag {
            b'0' => verb.zero = true,
            b'#' => verb.sharp = true,
            b'+' => verb.plus = true,
            b'-' => verb.minus = true,
            b' ' => verb.space = true,
            _ => break,
        }
        at += 1;
    }
    let number = |at: &mut usize| -> Option<usize> {
        let begin = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        (*at > begin).then(|| text[begin..*at].parse().unwrap_or(usize::MAX / 4))
    };
    verb.width = number(&mut at);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        verb.precision = number(&mut at);
    }
    if bytes.get(at) == Some(&b'[') {
        at += 1;
        verb.argument = number(&mut at);
        if bytes.get(at) == Some(&b']') {
            at += 1;
        }
    }
    let Some(mode) = text.get(at..).and_then(|rest| rest.chars().next()) else {
        return Err(failed(format!(
            "invalid format string starting at offset {}",
            offset + at
        )));
    };
    at += mode.len_utf8();
    verb.mode = mode;
    verb.raw = text[..at].to_owned();
    Ok((verb, at))
}

fn write(verb: &Verb, argument: &Value, result: &mut String) -> Computed<()> {
    let unsuitable = |problem: String| {
        failed(format!(
            "unsupported value for {:?} at {}: {problem}",
            verb.raw, verb.offset
        ))
    };
    if verb.mode != 'v' && argument.is_null() {
        return Err(unsuitable("null value cannot be formatted".to_owned()));
    }
    let converted =
        |of: Type| convert(argument, &of).map_err(|error| unsuitable(error.to_string()));
    match verb.mode {
        'v' => {
            let text = match argument {
                Value::String(text) if !verb.sharp => text.to_string(),
                Value::Number(number) if !verb.sharp => {
                    let sign = if number.has_minus() { "-" } else { "" };
                    match number.is_infinite() {
                        true => format!("{sign}Inf"),
                        false => format!("{sign}{}", number.shortest().general(None, 'e')),
                    }
                }
                other => json::encode(other).map_err(|error| unsuitable(error.to_string()))?,
            };
            result.push_str(&padded(verb, &text));
        }
        't' => match converted(Type::Bool)? {
            Value::Bool(true) => result.push_str("true"),
            _ => result.push_str("false"),
        },
        'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => {
            if let Value::Number(number) = converted(Type::Number)? {
                let digits = match verb.mode {
                    'b' | 'd' | 'o' | 'x' | 'X' => integer(verb, &number)
                        .ok_or_else(|| unsuitable("an integer is required".to_owned()))?,
                    _ => fraction(verb, &number),
                };
                result.push_str(&signed(verb, &number, &digits));
            }
        }
        's' | 'q' => {
            if let Value::String(text) = converted(Type::String)? {
                let text = match verb.precision {
                    Some(count @ 1..) => text.graphemes(true).take(count).collect(),
                    _ => text.to_string(),
                };
                if verb.mode == 's' {
                    result.push_str(&padded(verb, &text));
                } else {
                    let mut quoted = String::new();
                    json::write_string(&text, &mut quoted);
                    result.push_str(&padded(verb, &quoted));
                }
            }
        }
        mode => {
            return Err(failed(format!(
                "unsupported format verb {mode:?} in {:?} at offset {}",
                verb.raw, verb.offset
            )));
        }
    }
    Ok(())
}

/// Returns the digits of a whole number, without its sign.
fn integer(verb: &Verb, number: &Number) -> Option<String> {
    let value = number.to_integer()?;
    let magnitude = value.magnitude();
    let digits = match verb.mode {
        'b' => magnitude.to_str_radix(2),
        'o' => magnitude.to_str_radix(8),
        'x' => magnitude.to_str_radix(16),
        'X' => magnitude.to_str_radix(16).to_uppercase(),
        _ => magnitude.to_string(),
    };
    let prefix = match (verb.sharp, verb.mode) {
        (true, 'b') => "0b",
        (true, 'o') => "0",
        (true, 'x') => "0x",
        (true, 'X') => "0X",
        _ => "",
    };
    let missing = verb.precision.unwrap_or(0).saturating_sub(digits.len());
    Some(format!("{prefix}{}{digits}", "0".repeat(missing)))
}

/// Returns the digits of a number, without its sign.
fn fraction(verb: &Verb, number: &Number) -> String {
    if number.is_infinite() {
        return "Inf".to_owned();
    }
    match verb.mode {
        'e' | 'E' => number
            .exact()
            .exponential(Some(verb.precision.unwrap_or(6)), verb.mode),
        'f' => number.exact().fixed(Some(verb.precision.unwrap_or(6))),
        mode => {
            let letter = if mode == 'G' { 'E' } else { 'e' };
            match verb.precision {
                Some(count) => number.exact().general(Some(count), letter),
                None => number.shortest().general(None, letter),
            }
        }
    }
}

/// Adds the sign and fills up to the width.
fn signed(verb: &Verb, number: &Number, digits: &str) -> String {
    let is_integer = matches!(verb.mode, 'b' | 'd' | 'o' | 'x' | 'X');
    let has_minus = if is_integer {
        number.is_negative()
    } else {
        number.has_minus()
    };
    let sign = match (has_minus, verb.plus || number.is_infinite(), verb.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let missing = verb
        .width
        .unwrap_or(0)
        .saturating_sub(sign.len() + digits.len());
    match (
        verb.minus,
        verb.zero && !(is_integer && verb.precision.is_some()),
    ) {
        (true, _) => format!("{sign}{digits}{}", " ".repeat(missing)),
        (false, true) => format!("{sign}{}{digits}", "0".repeat(missing)),
        (false, false) => format!("{}{sign}{digits}", " ".repeat(missing)),
    }
}

fn padded(verb: &Verb, text: &str) -> String {
    let missing = verb
        .width
        .unwrap_or(0)
        .saturating_sub(text.graphemes(true).count());
    let fill = if verb.zero { "0" } else { " " }.repeat(missing);
    if verb.minus {
        format!("{text}{fill}")
    } else {
        format!("{fill}{text}")
    }
}

fn format_list(context: &Context<'_>, values: &[Value]) -> Computed {
    let arguments = &values[1..];
    let mut length: Option<(usize, usize)> = None;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(items) = argument.items() else {
            continue;
        };
        match length {
            None => length = Some((items.len(), index)),
            Some((wanted, chosen)) if wanted != items.len() => {
                return Err(wrong(
                    index + 1,
                    format!(
                        "argument {} has length {}, which is inconsistent with argument {} of length {wanted}",
                        index + 1,
                        items.len(),
                        chosen + 1
                    ),
                ));
            }
            Some(_) => {}
        }
    }
    let mut results = Vec::new();
    let mut total = 0;
    for index in 0..length.map_or(1, |(length, _)| length) {
        let row = arguments.iter().map(|argument| match argument.items() {
            Some(items) => items.get(index).cloned().unwrap_or(Value::Null),
            None => argument.clone(),
        });
        let row: Vec<Value> = row.collect();
        let text = apply(context, text(values, 0), &row).map_err(|error| match error.limit {
            Some(_) => error,
            None => failed(format!(
                "error on format iteration {index}: {}",
                error.message
            )),
        })?;
        total += text.len();
        context.budget.check(total as u64)?;
        results.push(text);
    }
    Ok(Value::strings(results))
}
