//! Values as JSON, and JSON as values.

use std::rc::Rc;

use super::Value;
use crate::syntax::json::{Node, NodeKind};

/// Writes a value as JSON: without spaces, fields sorted by name, and `<`, `>`, `&` escaped, as Go does.
///
/// # Errors
///
/// Returns an error for an infinite number, which JSON does not have.
pub fn encode(value: &Value) -> Result<String, InfiniteNumber> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

/// An infinite number, which JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an infinite number cannot be written as JSON")]
pub struct InfiniteNumber;

fn write(value: &Value, text: &mut String) -> Result<(), InfiniteNumber> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.is_infinite() => return Err(InfiniteNumber),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(value) => write_string(value, text),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Map(_, fields) | Value::Object(fields) => {
            text.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

/// Writes a string of JSON as Go's `encoding/json` does.
pub fn write_string(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Converts parsed JSON to a value: objects and tuples, with numbers in full. Of several fields with the same
/// name, the last one counts.
pub fn to_value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Bool(value) => Value::Bool(*value),
        NodeKind::Number(number) => Value::number(number.clone()),
        NodeKind::String(text) => Value::from(text.as_str()),
        NodeKind::Array(items) => Value::tuple(items.iter().map(to_value).collect()),
        NodeKind::Object(members) => Value::object(
            members
                .iter()
                .map(|member| (Rc::from(member.name.as_str()), to_value(&member.value)))
                .collect(),
        ),
    }
}
