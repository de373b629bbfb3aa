//! Logic and comparison.

use super::{Computed, Row, any, boolean, failed, nullable, number, numeric};
use crate::value::convert::convert;
use crate::value::{Number, Type, Value, unify};

pub const FUNCTIONS: &[Row] = &[
    ("and", &[boolean("a"), boolean("b")], None, |_, values| {
        both(values, |a, b| a && b)
    }),
    ("or", &[boolean("a"), boolean("b")], None, |_, values| {
        both(values, |a, b| a || b)
    }),
    ("not", &[boolean("val")], None, |_, values| {
        both(values, |a, _| !a)
    }),
    (
        "equal",
        &[nullable(any("a")), nullable(any("b"))],
        None,
        |_, values| Ok(Value::Bool(values[0].equals(&values[1]))),
    ),
    (
        "notequal",
        &[nullable(any("a")), nullable(any("b"))],
        None,
        |_, values| Ok(Value::Bool(!values[0].equals(&values[1]))),
    ),
    (
        "greaterthan",
        &[number("a"), number("b")],
        None,
        |_, values| order(values, |a, b| a > b),
    ),
    (
        "greaterthanorequalto",
        &[number("a"), number("b")],
        None,
        |_, values| order(values, |a, b| a >= b),
    ),
    (
        "lessthan",
        &[number("a"), number("b")],
        None,
        |_, values| order(values, |a, b| a < b),
    ),
    (
        "lessthanorequalto",
        &[number("a"), number("b")],
        None,
        |_, values| order(values, |a, b| a <= b),
    ),
    ("coalesce", &[], Some(nullable(any("vals"))), |_, values| {
        coalesce(values)
    }),
];

fn both(values: &[Value], decide: fn(bool, bool) -> bool) -> Computed {
    let truth = |index: usize| matches!(values.get(index), Some(Value::Bool(true)));
    Ok(Value::Bool(decide(truth(0), truth(1))))
}

fn order(values: &[Value], decide: fn(&Number, &Number) -> bool) -> Computed {
    Ok(Value::Bool(decide(
        numeric(values, 0)?,
        numeric(values, 1)?,
    )))
}

/// Returns the first value that is not null, in a type that fits all values.
fn coalesce(values: &[Value]) -> Computed {
    let types: Vec<Type> = values.iter().map(Value::kind).collect();
    let of = unify(&types).filter(|_| !values.is_empty());
    let of = of.ok_or_else(|| failed("all arguments must have the same type"))?;
    match values.iter().find(|value| !value.is_null()) {
        Some(value) => Ok(convert(value, &of)?),
        None => Err(failed("no non-null arguments")),
    }
}
