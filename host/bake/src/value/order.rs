//! The order of the items of a set.

use std::cmp::Ordering;

use super::Value;

/// Compares two items of a set: texts by their bytes, numbers by their value, false before true, and null
/// last. Collections have an order too, item by item, so that a set is the same each time.
pub fn of_elements(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => match (a.items(), b.items(), a.fields(), b.fields()) {
            (Some(a), Some(b), _, _) => of_sequences(a.iter(), b.iter(), |a, b| of_elements(a, b)),
            (_, _, Some(a), Some(b)) => of_sequences(a.iter(), b.iter(), |a, b| {
                a.0.cmp(b.0).then_with(|| of_elements(a.1, b.1))
            }),
            _ => rank(a).cmp(&rank(b)),
        },
    }
}

fn of_sequences<T>(
    a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Ordering {
    for a in a {
        let Some(b) = b.next() else {
            return Ordering::Greater;
        };
        let order = compare(&a, &b);
        if order.is_ne() {
            return order;
        }
    }
    if b.next().is_some() {
        Ordering::Less
    } else {
        Ordering::Equal
    }
}

/// Returns the rank of the kinds of values, for a set of any type.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        Value::List(..) | Value::Set(..) | Value::Tuple(_) => 3,
        Value::Map(..) | Value::Object(_) => 4,
        Value::Null => 5,
    }
}
