//! Conversions between types.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::types::Attribute;
use super::{Number, Type, Value, unify};

/// A value that cannot be converted: where in the value, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConvertError {
    /// The elements and attributes that lead to the fault, from the outside.
    path: Vec<String>,
    /// What is wrong, in the words of docker buildx.
    problem: String,
}

impl ConvertError {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            problem: problem.into(),
        }
    }

    fn mismatch(value: &Value, wanted: &Type) -> Self {
        Self::new(format!("{wanted} required, but have {}", value.kind()))
    }

    fn within(mut self, step: String) -> Self {
        self.path.insert(0, step);
        self
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(
            f,
            "{}: {}",
            self.path.concat().trim_start_matches('.'),
            self.problem
        )
    }
}

/// Converts a value to a type. Null stays null.
///
/// # Errors
///
/// Returns an error if there is no conversion, or none for this value.
pub fn convert(value: &Value, wanted: &Type) -> Result<Value, ConvertError> {
    match (wanted, value) {
        (Type::Any, _) | (_, Value::Null) => Ok(value.clone()),
        (Type::String, Value::String(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Number, Value::Number(_)) => Ok(value.clone()),
        (Type::String, Value::Bool(value)) => {
            Ok(Value::from(if *value { "true" } else { "false" }))
        }
        (Type::String, Value::Number(number)) => Ok(Value::from(number.to_string())),
        (Type::Bool, Value::String(text)) => boolean(text),
        (Type::Number, Value::String(text)) => match Number::parse(text) {
            Some(number) => Ok(Value::number(number)),
            None => Err(ConvertError::new("a number is required")),
        },
        (Type::List(of), _) => {
            let (of, items) = elements(value, wanted, of)?;
            Ok(Value::list(of, items))
        }
        (Type::Set(of), _) => {
            let (of, items) = elements(value, wanted, of)?;
            Ok(Value::set(of, items))
        }
        (Type::Map(of), _) => map(value, wanted, of),
        (Type::Tuple(types), _) => tuple(value, wanted, types),
        (Type::Object(attributes), _) => object(value, wanted, attributes),
        _ => Err(ConvertError::mismatch(value, wanted)),
    }
}

fn boolean(text: &str) -> Result<Value, ConvertError> {
    let hint = |word: &str| {
        Err(ConvertError::new(format!(
            "a bool is required; to convert from string, use lowercase \"{word}\""
        )))
    };
    match text {
        "true" | "1" => Ok(Value::Bool(true)),
        "false" | "0" => Ok(Value::Bool(false)),
        "True" | "TRUE" => hint("true"),
        "False" | "FALSE" => hint("false"),
        _ => Err(ConvertError::new("a bool is required")),
    }
}

/// Converts the items of a value, and returns their type.
fn elements(value: &Value, wanted: &Type, of: &Type) -> Result<(Type, Vec<Value>), ConvertError> {
    let items = match value {
        Value::List(..) | Value::Set(..) | Value::Tuple(_) => value.items().unwrap_or_default(),
        _ => return Err(ConvertError::mismatch(value, wanted)),
    };
    if let (Value::List(has, _), false) = (value, of.is_exact()) {
        return Ok((has.clone(), items.to_vec()));
    }
    let of = exact(
        of,
        items.iter(),
        "all list elements must have the same type",
    )?;
    let mut converted = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let item = convert(item, &of).map_err(|error| error.within(format!("element {index}")))?;
        converted.push(item);
    }
    Ok((of, converted))
}

/// Returns the type of elements: the wanted one, or the common one where any is wanted.
fn exact<'a>(
    of: &Type,
    items: impl Iterator<Item = &'a Value>,
    problem: &str,
) -> Result<Type, ConvertError> {
    if *of != Type::Any {
        return Ok(of.clone());
    }
    let types: Vec<Type> = items.map(Value::kind).collect();
    unify(&types).ok_or_else(|| ConvertError::new(problem))
}

fn map(value: &Value, wanted: &Type, of: &Type) -> Result<Value, ConvertError> {
    let Some(fields) = value.fields() else {
        return Err(ConvertError::mismatch(value, wanted));
    };
    let of = exact(
        of,
        fields.values(),
        "all map elements must have the same type",
    )?;
    let mut converted = BTreeMap::new();
    for (name, value) in fields {
        let value =
            convert(value, &of).map_err(|error| error.within(format!("element {name:?}")))?;
        converted.insert(name.clone(), value);
    }
    Ok(Value::map(of, converted))
}

fn tuple(value: &Value, wanted: &Type, types: &[Type]) -> Result<Value, ConvertError> {
    let Some(items) = value.items() else {
        return Err(ConvertError::mismatch(value, wanted));
    };
    if items.len() != types.len() {
        return Err(ConvertError::mismatch(value, wanted));
    }
    let mut converted = Vec::with_capacity(items.len());
    for (index, (item, of)) in items.iter().zip(types).enumerate() {
        let item = convert(item, of).map_err(|error| error.within(format!("element {index}")))?;
        converted.push(item);
    }
    Ok(Value::tuple(converted))
}

fn object(
    value: &Value,
    wanted: &Type,
    attributes: &BTreeMap<Rc<str>, Attribute>,
) -> Result<Value, ConvertError> {
    let Some(fields) = value.fields() else {
        return Err(ConvertError::mismatch(value, wanted));
    };
    let mut converted = BTreeMap::new();
    for (name, attribute) in attributes {
        let value = match fields.get(name) {
            Some(value) => convert(value, &attribute.of)
                .map_err(|error| error.within(format!("attribute {name:?}")))?,
            None if attribute.optional => Value::Null,
            None => return Err(ConvertError::new(format!("attribute {name:?} is required"))),
        };
        converted.insert(name.clone(), value);
    }
    Ok(Value::object(converted))
}
