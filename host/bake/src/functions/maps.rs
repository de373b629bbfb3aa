//! Maps and objects.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Computed, Row, any, failed, items, nullable, string, strings, text, wrong};
use crate::value::convert::convert;
use crate::value::{Type, Value};

pub const FUNCTIONS: &[Row] = &[
    (
        "keys",
        &[any("inputMap")],
        None,
        |_, values| match &values[0] {
            Value::Map(_, fields) => Ok(Value::strings(fields.keys().cloned())),
            Value::Object(fields) => Ok(Value::tuple(
                fields.keys().cloned().map(Value::String).collect(),
            )),
            _ => Err(wrong(0, "must have map or object type")),
        },
    ),
    (
        "values",
        &[any("values")],
        None,
        |_, values| match &values[0] {
            Value::Map(of, fields) => {
                Ok(Value::list(of.clone(), fields.values().cloned().collect()))
            }
            Value::Object(fields) => Ok(Value::tuple(fields.values().cloned().collect())),
            _ => Err(failed("values() requires a map as the first argument")),
        },
    ),
    (
        "lookup",
        &[any("inputMap"), string("key"), any("default")],
        None,
        |_, values| lookup(values),
    ),
    ("merge", &[], Some(nullable(any("maps"))), |_, values| {
        merge(values)
    }),
    (
        "zipmap",
        &[strings("keys"), any("values")],
        None,
        |_, values| zip(values),
    ),
];

fn lookup(values: &[Value]) -> Computed {
    let name = text(values, 1);
    match &values[0] {
        Value::Object(fields) => Ok(fields.get(name).unwrap_or(&values[2]).clone()),
        Value::Map(of, fields) => {
            let default = convert(&values[2], of).map_err(|_| {
                wrong(
                    2,
                    "the default value must have the same type as the map elements",
                )
            })?;
            Ok(fields.get(name).cloned().unwrap_or(default))
        }
        _ => Err(wrong(0, "lookup() requires a map as the first argument")),
    }
}

fn merge(values: &[Value]) -> Computed {
    let mut merged = BTreeMap::new();
    for value in values {
        match value.fields() {
            Some(fields) => merged.extend(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            ),
            None if value.is_null() => {}
            None => {
                let kind = value.kind().to_string();
                return Err(failed(format!(
                    "arguments must be maps or objects, got {kind:?}"
                )));
            }
        }
    }
    if !values.is_empty() && values.iter().all(Value::is_null) {
        return Ok(Value::Null);
    }
    let maps: Vec<&Type> = values
        .iter()
        .filter_map(|value| match value {
            Value::Map(of, _) => Some(of),
            _ => None,
        })
        .collect();
    match maps.split_first() {
        Some((first, rest)) if maps.len() == values.len() && rest.iter().all(|of| of == first) => {
            Ok(Value::map((*first).clone(), merged))
        }
        _ => Ok(Value::object(merged)),
    }
}

fn zip(values: &[Value]) -> Computed {
    let keys = items(values, 0);
    let found = match &values[1] {
        Value::List(..) | Value::Tuple(_) => items(values, 1),
        _ => {
            return Err(wrong(1, "values argument must be a list or tuple value"));
        }
    };
    if keys.len() != found.len() {
        return Err(failed(format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            found.len()
        )));
    }
    let mut fields: BTreeMap<Rc<str>, Value> = BTreeMap::new();
    for (index, (key, value)) in keys.iter().zip(found).enumerate() {
        let Some(key) = key.as_str() else {
            return Err(failed(format!("keys list has null value at index {index}")));
        };
        fields.insert(key.into(), value.clone());
    }
    Ok(match &values[1] {
        Value::List(of, _) => Value::map(of.clone(), fields),
        _ => Value::object(fields),
    })
}
