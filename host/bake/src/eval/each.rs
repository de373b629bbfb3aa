//! `for` expressions.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Evaluated, Evaluator, Scope};
use crate::diagnostic::Diagnostic;
use crate::syntax::{For, Span};
use crate::value::convert::convert;
use crate::value::{Type, Value};

/// Returns the keys and the values of a collection, for a `for`.
pub(super) fn elements(collection: &Value) -> Result<Vec<(Value, Value)>, Diagnostic> {
    match collection {
        Value::List(_, items) | Value::Tuple(items) => {
            let numbered = items.iter().enumerate();
            Ok(numbered
                .map(|(index, item)| (Value::number(index), item.clone()))
                .collect())
        }
        // The key of an element of a set is the element.
        Value::Set(_, items) => Ok(items
            .iter()
            .map(|item| (item.clone(), item.clone()))
            .collect()),
        Value::Map(_, fields) | Value::Object(fields) => Ok(fields
            .iter()
            .map(|(name, value)| (Value::String(name.clone()), value.clone()))
            .collect()),
        Value::Null => Err(Diagnostic::new(
            "Iteration over null value",
            "A null value cannot be used as the collection in a 'for' expression.",
        )),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(Diagnostic::new(
            "Iteration over non-iterable value",
            format!(
                "A value of type {} cannot be used as the collection in a 'for' expression.",
                collection.kind()
            ),
        )),
    }
}

impl Evaluator<'_> {
    pub(super) fn each(&self, each: &For, scope: &Scope<'_>, span: Span) -> Evaluated {
        let collection = self.value(&each.collection, scope)?;
        let elements =
            elements(&collection).map_err(|fault| Box::new(fault.at(each.collection.span)))?;
        let mut list = Vec::new();
        let mut object: BTreeMap<Rc<str>, Vec<Value>> = BTreeMap::new();
        let mut weight = 0;
        for (at, element) in elements {
            let mut names = Vec::new();
            names.extend(each.key.as_deref().map(|key| (key, at)));
            names.push((each.value.as_str(), element));
            let scope = scope.with(names);
            if !self.included(each, &scope)? {
                continue;
            }
            let key = match &each.result_key {
                None => None,
                Some(expression) => {
                    let key = self.value(expression, &scope)?;
                    Some(self::key(&key).map_err(|fault| Box::new(fault.at(expression.span)))?)
                }
            };
            let result = self.value(&each.result, &scope)?;
            weight += result.weight();
            self.budget.check(weight).map_err(|fault| fault.at(span))?;
            let Some(key) = key else {
                list.push(result);
                continue;
            };
            let values = object.entry(key.clone()).or_default();
            values.push(result);
            if values.len() > 1 && !each.group {
                let detail = format!(
                    "Two different items produced the key {key:?} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key."
                );
                return Err(Box::new(
                    Diagnostic::new("Duplicate object key", detail).at(span),
                ));
            }
        }
        if each.result_key.is_none() {
            return Ok(Value::tuple(list));
        }
        let fields = object.into_iter().map(|(name, mut values)| {
            let value = match each.group {
                true => Value::tuple(values),
                false => values.pop().unwrap_or(Value::Null),
            };
            (name, value)
        });
        Ok(Value::object(fields.collect()))
    }

    fn included(&self, each: &For, scope: &Scope<'_>) -> Evaluated<bool> {
        let Some(condition) = &each.condition else {
            return Ok(true);
        };
        let fault = |summary: &str, detail: &str| {
            Box::new(Diagnostic::new(summary, detail).at(condition.span))
        };
        match convert(&self.value(condition, scope)?, &Type::Bool) {
            Ok(Value::Bool(included)) => Ok(included),
            Ok(_) => Err(fault(
                "Condition is null",
                "The value of the 'if' clause must not be null.",
            )),
            Err(error) => Err(fault(
                "Invalid 'for' condition",
                &format!("The 'if' clause value is invalid: {error}."),
            )),
        }
    }
}

fn key(value: &Value) -> Result<Rc<str>, Diagnostic> {
    match convert(value, &Type::String) {
        Ok(Value::String(name)) => Ok(name),
        Ok(_) => Err(Diagnostic::new(
            "Invalid object key",
            "Key expression in 'for' expression must not produce a null value.",
        )),
        Err(error) => Err(Diagnostic::new(
            "Invalid object key",
            format!("The key expression produced an invalid result: {error}."),
        )),
    }
}
