//! The functions that a template can call, beyond those of Go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gotmpl::{Result, Template, TemplateError, Value};

use super::Over;
use super::lines::MARK;
use super::values::{characters, shown, size, to_json};

/// The functions of the Docker CLI.
pub const NAMES: [&str; 8] = [
    "join", "json", "lower", "pad", "split", "title", "truncate", "upper",
];

/// Looks up fields. The names of these functions cannot be written in a template.
pub const FIELD: &str = "a field";
/// Charges an argument to the meter.
pub const CHARGE: &str = "an argument";
/// Charges a format of `printf` to the meter.
pub const CHARGE_FORMAT: &str = "a format";
/// Makes a value fit to be displayed.
pub const SHOW: &str = "a value";

/// Sum of the sizes of all arguments of a rendering, in bytes.
const MOST_WORK: u64 = 16 << 20;

/// Work of each piece of a text that is split, in bytes. That is what a piece takes in memory.
const PIECE: u64 = 48;

/// Maximum width of a verb of `printf`, which is that of `gotmpl`.
const WIDEST: u64 = 64 << 10;

/// Counts the work of a template.
pub struct Meter(AtomicU64);

impl Meter {
    /// Returns a meter of which nothing is used.
    pub fn new() -> Self {
        Self(AtomicU64::new(MOST_WORK))
    }

    fn charge(&self, work: u64) -> Result<()> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(work);
        let left = left.ok_or_else(|| wrong("it processes too much text"))?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// Adds the functions to a template.
pub fn add(template: Template, over: Over, meter: &Arc<Meter>) -> Template {
    let (argument, format, value) = (Arc::clone(meter), Arc::clone(meter), Arc::clone(meter));
    let (pieces, padding, joined) = (Arc::clone(meter), Arc::clone(meter), Arc::clone(meter));
    let of_header = over == Over::Header;
    template
        .func(FIELD, move |arguments| match of_header {
            true => header(arguments),
            false => field(arguments),
        })
        .func(CHARGE, move |arguments| {
            let [of] = take("argument", arguments)?;
            argument.charge(size(of))?;
            Ok(of.clone())
        })
        .func(CHARGE_FORMAT, move |arguments| {
            let [of] = take("format", arguments)?;
            format.charge(size(of) + of.as_str().map_or(0, widths))?;
            Ok(of.clone())
        })
        .func(SHOW, move |arguments| {
            let [of] = take("value", arguments)?;
            value.charge(size(of))?;
            let shown = shown(of).replace(MARK, "");
            Ok(Value::String(format!("{MARK}{shown}{MARK}").into()))
        })
        .func("index", index)
        .func("json", move |arguments| {
            let [of] = take("json", arguments)?;
            // The headers of a table are names.
            if of_header {
                return Ok(of.clone());
            }
            let json = to_json(of).to_string();
            Ok(Value::String(iechor_text::json(&json).into()))
        })
        .func("join", move |arguments| join(arguments, &joined))
        .func("lower", |arguments| {
            let [of] = take("lower", arguments)?;
            Ok(text(of)?.to_lowercase().into_value())
        })
        .func("upper", |arguments| {
            let [of] = take("upper", arguments)?;
            Ok(text(of)?.to_uppercase().into_value())
        })
        .func("title", |arguments| {
            let [of] = take("title", arguments)?;
            Ok(title(text(of)?).into_value())
        })
        .func("split", move |arguments| {
            let [of, separator] = take("split", arguments)?;
            split(text(of)?, text(separator)?, &pieces)
        })
        .func("truncate", |arguments| {
            let [of, length] = take("truncate", arguments)?;
            let kept: String = characters(text(of)?).take(count(length)?).collect();
            Ok(kept.into_value())
        })
        .func("pad", move |arguments| {
            let [of, before, behind] = take("pad", arguments)?;
            let (of, before, behind) = (text(of)?, count(before)?, count(behind)?);
            let width = u64::try_from(before.saturating_add(behind)).unwrap_or(u64::MAX);
            padding.charge(width)?;
            if of.is_empty() {
                return Ok(String::new().into_value());
            }
            Ok(format!("{}{of}{}", " ".repeat(before), " ".repeat(behind)).into_value())
        })
}

/// Looks up the field that a path leads to.
fn field(arguments: &[Value]) -> Result<Value> {
    let [of, names @ ..] = arguments else {
        return Err(wrong("there is no value"));
    };
    let (mut found, mut path) = (of, String::new());
    for name in names.iter().filter_map(Value::as_str) {
        let at = if path.is_empty() { "." } else { &path };
        found = match found {
            Value::Map(fields) => fields.get(name).ok_or_else(|| {
                let names: Vec<_> = fields.keys().map(|key| &**key).collect();
                let names = shown(&names.join(", ").into_value());
                wrong(format!(
                    "{at} has no field {name:?}; its fields are: {names}"
                ))
            })?,
            Value::Nil => return Err(wrong(format!("{at} is null and has no field {name:?}"))),
            other => {
                let kind = other.type_name();
                return Err(wrong(format!("{at} is a {kind} and has no field {name:?}")));
            }
        };
        path = format!("{path}.{name}");
    }
    Ok(found.clone())
}

/// Returns the header of a column: the name of the field, with a space where a word begins.
fn header(arguments: &[Value]) -> Result<Value> {
    let mut names = arguments.iter().skip(1).filter_map(Value::as_str);
    let name = names.next_back();
    let mut header = String::new();
    let mut is_lower = false;
    for character in name.unwrap_or_default().chars() {
        if is_lower && character.is_uppercase() {
            header.push(' ');
        }
        is_lower = character.is_lowercase();
        header.extend(character.to_uppercase());
    }
    Ok(header.into_value())
}

/// Does what Go's `index` does. A key that a map does not have gives an empty text, as in a map of
/// texts, such as labels.
fn index(arguments: &[Value]) -> Result<Value> {
    let [of, keys @ ..] = arguments else {
        return Err(wrong("index expects a value"));
    };
    let mut found = of.clone();
    for key in keys {
        found = match (&found, key) {
            (Value::Map(fields), Value::String(key)) => match fields.get(key) {
                Some(value) => value.clone(),
                None => String::new().into_value(),
            },
            _ => found.index(key)?,
        };
    }
    Ok(found)
}

fn join(arguments: &[Value], meter: &Meter) -> Result<Value> {
    let [of, separator] = take("join", arguments)?;
    let Value::List(items) = of else {
        return Err(wrong(format!(
            "join expects a list, not a {}",
            of.type_name()
        )));
    };
    // Two texts of which neither is long make a very long one.
    let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    meter.charge(count.saturating_mul(size(separator)))?;
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    Ok(items.join(text(separator)?).into_value())
}

fn split(text: &str, separator: &str, meter: &Meter) -> Result<Value> {
    let count = match separator {
        "" => text.len(),
        separator => text.matches(separator).count() + 1,
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    meter.charge(count.saturating_mul(PIECE))?;
    let value = |piece: &str| piece.to_owned().into_value();
    Ok(Value::List(match separator {
        "" => characters(text).map(value).collect(),
        separator => text.split(separator).map(value).collect(),
    }))
}

fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut is_first = true;
    for character in text.chars() {
        match is_first {
            true => titled.extend(character.to_uppercase()),
            false => titled.push(character),
        }
        is_first = !character.is_alphanumeric() && !matches!(character, '_' | '\'');
    }
    titled
}

/// Returns how many characters the verbs of a format of `printf` can add.
fn widths(format: &str) -> u64 {
    let numbers = format.split(|c: char| !c.is_ascii_digit());
    let numbers = numbers.filter(|digits| !digits.is_empty());
    let numbers: u64 = numbers
        .map(|digits| digits.parse().unwrap_or(u64::MAX).min(WIDEST))
        .sum();
    let stars = format.bytes().filter(|byte| *byte == b'*').count();
    numbers
        + u64::try_from(stars)
            .unwrap_or(u64::MAX)
            .saturating_mul(WIDEST)
}

fn take<'a, const COUNT: usize>(name: &str, arguments: &'a [Value]) -> Result<&'a [Value; COUNT]> {
    arguments.try_into().map_err(|_| TemplateError::ArgCount {
        name: name.to_owned(),
        expected: COUNT,
        got: arguments.len(),
    })
}

fn text(value: &Value) -> Result<&str> {
    value
        .as_str()
        .ok_or_else(|| wrong(format!("expected a string, not a {}", value.type_name())))
}

fn count(value: &Value) -> Result<usize> {
    let count = value.as_int().and_then(|count| usize::try_from(count).ok());
    count.ok_or_else(|| wrong("expected a number of characters"))
}

fn wrong(why: impl Into<String>) -> TemplateError {
    TemplateError::Exec(why.into())
}

trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::String(self.into())
    }
}
