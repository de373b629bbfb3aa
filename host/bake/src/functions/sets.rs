//! Sets. Tuples and lists are converted to sets.

use std::rc::Rc;

use super::{Computed, Context, Row, any, failed, items, set, wrong};
use crate::value::convert::convert;
use crate::value::{Type, Value, unify};

pub const FUNCTIONS: &[Row] = &[
    (
        "sethaselement",
        &[set("set"), any("elem")],
        None,
        |_, values| has_element(values),
    ),
    (
        "setunion",
        &[set("first_set")],
        Some(set("other_sets")),
        |_, values| combine(values, |_, _| true),
    ),
    (
        "setintersection",
        &[set("first_set")],
        Some(set("other_sets")),
        |_, values| combine(values, |found, count| found == count),
    ),
    ("setsubtract", &[set("a"), set("b")], None, |_, values| {
        subtract(values)
    }),
    (
        "setsymmetricdifference",
        &[set("first_set")],
        Some(set("other_sets")),
        |_, values| combine(values, |found, _| found % 2 == 1),
    ),
    ("setproduct", &[], Some(any("sets")), product),
];

/// Converts all sets to sets of a common type.
fn common(values: &[Value]) -> Computed<(Type, Vec<Value>)> {
    let types: Vec<Type> = values
        .iter()
        .filter_map(|value| match value {
            Value::Set(of, items) if !(items.is_empty() && *of == Type::Any) => Some(of.clone()),
            _ => None,
        })
        .collect();
    let of =
        unify(&types).ok_or_else(|| failed("given sets must all have compatible element types"))?;
    let wanted = Type::Set(Rc::new(of.clone()));
    let mut sets = Vec::new();
    for value in values {
        sets.push(convert(value, &wanted)?);
    }
    Ok((of, sets))
}

/// Returns the elements for which `keep` is true. It gets the number of sets that have the element, and the
/// number of all sets.
fn combine(values: &[Value], keep: fn(usize, usize) -> bool) -> Computed {
    let (of, sets) = common(values)?;
    let all = sets
        .iter()
        .flat_map(|set| set.items().unwrap_or_default().iter().cloned());
    let all = Value::set(of.clone(), all.collect());
    let kept = all.items().unwrap_or_default().iter().filter(|element| {
        let found = sets
            .iter()
            .filter(|set| has(set.items().unwrap_or_default(), element))
            .count();
        keep(found, sets.len())
    });
    Ok(Value::set(of, kept.cloned().collect()))
}

fn has(elements: &[Value], element: &Value) -> bool {
    Value::position_in_set(elements, element).is_some()
}

fn subtract(values: &[Value]) -> Computed {
    let (of, sets) = common(values)?;
    let [a, b] = sets.as_slice() else {
        return Ok(Value::Null);
    };
    let b = b.items().unwrap_or_default();
    let kept = a
        .items()
        .unwrap_or_default()
        .iter()
        .filter(|element| !has(b, element));
    Ok(Value::set(of, kept.cloned().collect()))
}

fn has_element(values: &[Value]) -> Computed {
    let Value::Set(of, elements) = &values[0] else {
        return Ok(Value::Bool(false));
    };
    let same = *of == Type::Any || *of == values[1].kind();
    Ok(Value::Bool(same && has(elements, &values[1])))
}

/// Returns all combinations of an element of each set or list. The last one changes fastest.
fn product(context: &Context<'_>, values: &[Value]) -> Computed {
    if values.len() < 2 {
        return Err(failed("at least two arguments are required"));
    }
    let mut columns = Vec::new();
    let mut types = Vec::new();
    let mut all_lists = true;
    for (index, value) in values.iter().enumerate() {
        let of = match value {
            Value::Set(of, _) => {
                all_lists = false;
                of.clone()
            }
            Value::List(of, _) => of.clone(),
            Value::Tuple(items) => {
                let kinds: Vec<Type> = items.iter().map(Value::kind).collect();
                unify(&kinds)
                    .ok_or_else(|| wrong(index, "all elements must be of the same type"))?
            }
            _ => return Err(wrong(index, "a set or a list is required")),
        };
        let column: Result<Vec<Value>, _> = items(values, index)
            .iter()
            .map(|item| convert(item, &of))
            .collect();
        columns.push(column?);
        types.push(of);
    }
    let count = columns.iter().map(Vec::len).fold(1, usize::saturating_mul);
    let heaviest: u64 = columns
        .iter()
        .map(|column| column.iter().map(Value::weight).max().unwrap_or(1))
        .fold(1, u64::saturating_add);
    context
        .budget
        .check(heaviest.saturating_mul(count as u64))?;
    context
        .budget
        .spend(heaviest.saturating_mul(count as u64))?;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    if count == 0 {
        rows.clear();
    }
    for column in &columns {
        let longer = rows.iter().flat_map(|row| {
            column
                .iter()
                .map(|item| row.iter().cloned().chain([item.clone()]).collect())
        });
        rows = longer.collect();
    }
    let of = Type::Tuple(types.into());
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    Ok(if all_lists {
        Value::list(of, rows)
    } else {
        Value::set(of, rows)
    })
}
