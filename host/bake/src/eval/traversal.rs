//! Attributes, indexes and splats.

use super::{Evaluated, Evaluator, Scope};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Expression, Step};
use crate::value::convert::convert;
use crate::value::{Type, Value};

/// Returns an attribute of a value.
pub fn attribute(value: &Value, name: &str) -> Result<Value, Diagnostic> {
    match value {
        Value::Null => Err(Diagnostic::new(
            "Attempt to get attribute from null value",
            "This value is null, so it does not have any attributes.",
        )),
        Value::Object(fields) => fields.get(name).cloned().ok_or_else(|| {
            let detail = format!("This object does not have an attribute named {name:?}.");
            Diagnostic::new("Unsupported attribute", detail)
                .meaning(name, fields.keys().map(|name| &**name))
        }),
        Value::Map(_, fields) => fields.get(name).cloned().ok_or_else(|| {
            let detail = format!("This map does not have an element with the key {name:?}.");
            Diagnostic::new("Missing map element", detail)
                .meaning(name, fields.keys().map(|name| &**name))
        }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(Diagnostic::new(
            "Unsupported attribute",
            format!(
                "Can't access attributes on a primitive-typed value ({}).",
                value.kind()
            ),
        )),
        Value::List(..) | Value::Set(..) | Value::Tuple(_) => Err(Diagnostic::new(
            "Unsupported attribute",
            "This value does not have any attributes.",
        )),
    }
}

/// Returns an element of a collection.
pub fn index(value: &Value, key: &Value) -> Result<Value, Diagnostic> {
    let fault = |detail: &str| Err(Diagnostic::new("Invalid index", detail));
    const MISSING: &str = "The given key does not identify an element in this collection value";
    if value.is_null() {
        return Err(Diagnostic::new(
            "Attempt to index null value",
            "This value is null, so it does not have any indices.",
        ));
    }
    if key.is_null() {
        return fault("Can't use a null value as an indexing key.");
    }
    match value {
        Value::List(_, items) | Value::Tuple(items) => {
            let Ok(Value::Number(position)) = convert(key, &Type::Number) else {
                return fault(&format!("{MISSING}: a number is required."));
            };
            let found = position
                .to_i64()
                .and_then(|position| usize::try_from(position).ok());
            match found.and_then(|position| items.get(position)) {
                Some(item) => Ok(item.clone()),
                None if position.to_integer().is_none() => fault(&format!(
                    "{MISSING}: indexing a sequence requires a whole number, but the given index has a fractional part."
                )),
                None if position.is_negative() => fault(&format!(
                    "{MISSING}: a negative number is not a valid index for a sequence."
                )),
                None if items.is_empty() => {
                    fault(&format!("{MISSING}: the collection has no elements."))
                }
                None => fault(&format!(
                    "{MISSING}: the given index is greater than or equal to the length of the collection."
                )),
            }
        }
        Value::Map(_, fields) | Value::Object(fields) => match convert(key, &Type::String) {
            Ok(Value::String(name)) => match fields.get(&name) {
                Some(value) => Ok(value.clone()),
                None if matches!((value, key), (Value::Object(_), Value::Number(_))) => {
                    fault(&format!(
                        "{MISSING}. An object only supports looking up attributes by name, not by numeric index."
                    ))
                }
                None => fault(&format!("{MISSING}.")),
            },
            _ => fault(&format!("{MISSING}: string required.")),
        },
        Value::Set(..) => fault(
            "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.",
        ),
        _ => fault("This value does not have any indices."),
    }
}

impl Evaluator<'_> {
    /// Applies the steps to each element. A value that is no sequence is a sequence of itself, and null an
    /// empty one.
    pub(super) fn splat(&self, inner: &Expression, steps: &[Step], scope: &Scope<'_>) -> Evaluated {
        let value = self.value(inner, scope)?;
        let items = match &value {
            Value::Null => &[],
            Value::List(..) | Value::Set(..) | Value::Tuple(_) => value.items().unwrap_or_default(),
            _ => std::slice::from_ref(&value),
        };
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            let mut at = item.clone();
            for step in steps {
                self.budget.spend(1).map_err(|fault| fault.at(inner.span))?;
                at = match step {
                    Step::Attribute(name, span) => {
                        attribute(&at, name).map_err(|fault| Box::new(fault.at(*span)))?
                    }
                    Step::Index(key) => {
                        let index_value = self.value(key, scope)?;
                        index(&at, &index_value).map_err(|fault| Box::new(fault.at(key.span)))?
                    }
                    Step::Position(position, span) => {
                        let position = i64::try_from(*position).unwrap_or(i64::MAX);
                        index(&at, &Value::number(position))
                            .map_err(|fault| Box::new(fault.at(*span)))?
                    }
                };
            }
            results.push(at);
        }
        Ok(match &value {
            Value::List(..) | Value::Set(..) => {
                let types: Vec<Type> = results.iter().map(Value::kind).collect();
                match types.split_first() {
                    Some((first, rest)) if rest.iter().all(|of| of == first) => {
                        Value::list(first.clone(), results)
                    }
                    None => Value::list(Type::Any, results),
                    _ => Value::tuple(results),
                }
            }
            _ => Value::tuple(results),
        })
    }
}
