//! Lists and tuples.

use super::{
    Computed, Context, Row, any, failed, items, list, not_whole, nullable, number, numeric,
    strings, wrong,
};
use crate::value::Value;

pub const FUNCTIONS: &[Row] = &[
    (
        "length",
        &[any("collection")],
        None,
        |_, values| match &values[0] {
            Value::List(..) | Value::Set(..) | Value::Tuple(_) => {
                Ok(Value::number(items(values, 0).len()))
            }
            Value::Map(_, fields) => Ok(Value::number(fields.len())),
            _ => Err(failed("collection must be a list, a map or a tuple")),
        },
    ),
    (
        "element",
        &[any("list"), number("index")],
        None,
        |_, values| element(values),
    ),
    (
        "index",
        &[any("collection"), any("key")],
        None,
        |_, values| index(values),
    ),
    (
        "hasindex",
        &[any("collection"), any("key")],
        None,
        |_, values| Ok(Value::Bool(find(values)?.is_some())),
    ),
    ("indexof", &[any("list"), any("value")], None, index_of),
    ("contains", &[any("list"), any("value")], None, contains),
    ("concat", &[], Some(any("seqs")), |_, values| concat(values)),
    ("flatten", &[any("list")], None, |_, values| flatten(values)),
    ("distinct", &[list("list")], None, |_, values| {
        distinct(values)
    }),
    ("compact", &[strings("list")], None, |_, values| {
        let kept = items(values, 0)
            .iter()
            .filter_map(Value::as_str)
            .filter(|text| !text.is_empty());
        Ok(Value::strings(kept))
    }),
    (
        "coalescelist",
        &[],
        Some(nullable(any("vals"))),
        |_, values| first_filled(values),
    ),
    (
        "chunklist",
        &[list("list"), number("size")],
        None,
        |_, values| chunks(values),
    ),
    (
        "slice",
        &[any("list"), number("start_index"), number("end_index")],
        None,
        |_, values| slice(values),
    ),
    ("reverselist", &[any("list")], None, |_, values| {
        reverse(values)
    }),
];

/// Creates a sequence of the same kind as another one, with other items.
fn like(sequence: &Value, items: Vec<Value>) -> Value {
    match sequence {
        Value::List(of, _) | Value::Set(of, _) => Value::list(of.clone(), items),
        _ => Value::tuple(items),
    }
}

fn element(values: &[Value]) -> Computed {
    if !matches!(values[0], Value::List(..) | Value::Tuple(_)) {
        return Err(failed(format!(
            "cannot read elements from {}",
            values[0].kind()
        )));
    }
    let number = numeric(values, 1)?;
    let items = items(values, 0);
    let position = number
        .to_i64()
        .ok_or_else(|| failed(format!("invalid index: {}", not_whole(number))))?;
    let Ok(length @ 1..) = i64::try_from(items.len()) else {
        return Err(failed("cannot use element function with an empty list"));
    };
    if position < 0 {
        return Err(failed("cannot use element function with a negative index"));
    }
    let at = usize::try_from(position % length).unwrap_or(0);
    Ok(items.get(at).cloned().unwrap_or(Value::Null))
}

/// Returns the element of a key; `None` if there is none.
fn find(values: &[Value]) -> Computed<Option<Value>> {
    match (&values[0], &values[1]) {
        (Value::List(_, items) | Value::Tuple(items), Value::Number(position)) => {
            let position = position
                .to_i64()
                .and_then(|position| usize::try_from(position).ok());
            Ok(position.and_then(|position| items.get(position)).cloned())
        }
        (Value::Map(_, fields), Value::String(name)) => Ok(fields.get(name).cloned()),
        (Value::List(..) | Value::Tuple(_) | Value::Map(..), _) => Ok(None),
        _ => Err(failed("collection must be a list, a map or a tuple")),
    }
}

fn index(values: &[Value]) -> Computed {
    let wanted = match (&values[0], &values[1]) {
        (Value::Tuple(_), Value::Number(_)) | (Value::List(..), Value::Number(_)) => None,
        (Value::Map(..), Value::String(_)) => None,
        (Value::Tuple(_), _) => Some("key for tuple must be number"),
        (Value::List(..), _) => Some("key for list must be number"),
        (Value::Map(..), _) => Some("key for map must be string"),
        _ => None,
    };
    if let Some(problem) = wanted {
        return Err(failed(problem));
    }
    if let (Value::Tuple(items), Value::Number(position)) = (&values[0], &values[1]) {
        let Some(position) = position.to_i64() else {
            return Err(failed(format!(
                "invalid key for tuple: {}",
                not_whole(position)
            )));
        };
        if usize::try_from(position).map_or(true, |position| position >= items.len()) {
            return Err(failed(format!(
                "key must be between 0 and {} inclusive",
                items.len()
            )));
        }
    }
    find(values)?.ok_or_else(|| failed("invalid index"))
}

fn index_of(context: &Context<'_>, values: &[Value]) -> Computed {
    if !matches!(values[0], Value::List(..) | Value::Tuple(_)) {
        return Err(failed("argument must be a list or tuple"));
    }
    let items = items(values, 0);
    if items.is_empty() {
        return Err(failed("cannot search an empty list"));
    }
    context.budget.spend(values[0].weight())?;
    match items.iter().position(|item| item.equals(&values[1])) {
        Some(position) => Ok(Value::number(position)),
        None => Err(failed("item not found")),
    }
}

fn contains(context: &Context<'_>, values: &[Value]) -> Computed {
    let Some(items) = values[0].items() else {
        return Err(failed("argument must be list, tuple, or set"));
    };
    context.budget.spend(values[0].weight())?;
    Ok(Value::Bool(
        items.iter().any(|item| item.equals(&values[1])),
    ))
}

fn concat(values: &[Value]) -> Computed {
    if values.is_empty() {
        return Err(failed("at least one argument is required"));
    }
    let mut joined = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            Value::List(..) | Value::Tuple(_) => joined.extend_from_slice(items(values, index)),
            _ => {
                let message = format!(
                    "all arguments must be lists or tuples; got {}",
                    value.kind()
                );
                return Err(wrong(index, message));
            }
        }
    }
    let same = match &values[0] {
        Value::List(of, _) => values
            .iter()
            .all(|value| matches!(value, Value::List(other, _) if other == of)),
        _ => false,
    };
    Ok(if same {
        like(&values[0], joined)
    } else {
        Value::tuple(joined)
    })
}

fn flatten(values: &[Value]) -> Computed {
    fn collect(items: &[Value], flat: &mut Vec<Value>) {
        for item in items {
            match item.items() {
                Some(inner) => collect(inner, flat),
                None => flat.push(item.clone()),
            }
        }
    }
    let Some(items) = values[0].items() else {
        return Err(failed("can only flatten lists, sets and tuples"));
    };
    let mut flat = Vec::new();
    collect(items, &mut flat);
    Ok(Value::tuple(flat))
}

fn distinct(values: &[Value]) -> Computed {
    let Value::List(of, items) = &values[0] else {
        return Ok(values[0].clone());
    };
    // A set finds what is there already, without comparing each with each.
    let sorted = Value::set(of.clone(), items.to_vec());
    let unique = sorted.items().unwrap_or_default();
    let mut seen = vec![false; unique.len()];
    let mut kept = Vec::new();
    for item in items.iter() {
        let at = Value::position_in_set(unique, item);
        if let Some(seen) = at.and_then(|at| seen.get_mut(at))
            && !std::mem::replace(seen, true)
        {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(of.clone(), kept))
}

fn first_filled(values: &[Value]) -> Computed {
    if values.is_empty() {
        return Err(failed("at least one argument is required"));
    }
    if values
        .iter()
        .any(|value| !matches!(value, Value::List(..) | Value::Tuple(_) | Value::Null))
    {
        return Err(failed("coalescelist arguments must be lists or tuples"));
    }
    let filled = values
        .iter()
        .find(|value| value.items().is_some_and(|items| !items.is_empty()));
    filled
        .cloned()
        .ok_or_else(|| failed("no non-null arguments"))
}

fn chunks(values: &[Value]) -> Computed {
    let Value::List(of, items) = &values[0] else {
        return Ok(Value::Null);
    };
    let number = numeric(values, 1)?;
    let size = number
        .to_i64()
        .ok_or_else(|| failed(format!("invalid index: {}", not_whole(number))))?;
    let Ok(size) = usize::try_from(size) else {
        return Err(failed("the size argument must be positive"));
    };
    let inner = values[0].kind();
    let chunks: Vec<Value> = match (size, items.is_empty()) {
        (_, true) => Vec::new(),
        (0, _) => vec![values[0].clone()],
        (size, _) => items
            .chunks(size)
            .map(|chunk| Value::list(of.clone(), chunk.to_vec()))
            .collect(),
    };
    Ok(Value::list(inner, chunks))
}

fn slice(values: &[Value]) -> Computed {
    match &values[0] {
        Value::List(..) | Value::Tuple(_) => {}
        Value::Set(..) => {
            return Err(wrong(
                0,
                "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important",
            ));
        }
        _ => return Err(wrong(0, "must be a list or tuple value")),
    }
    let items = items(values, 0);
    let bound = |index: usize, name: &str| -> Computed<usize> {
        let number = numeric(values, index)?;
        let position = number.to_i64().ok_or_else(|| {
            wrong(
                index,
                format!("invalid {name} index: {}", not_whole(number)),
            )
        })?;
        let Ok(position) = usize::try_from(position) else {
            return Err(wrong(
                index,
                format!("{name} index must not be less than zero"),
            ));
        };
        if position > items.len() {
            return Err(wrong(
                index,
                format!("{name} index must not be greater than the length of the list"),
            ));
        }
        Ok(position)
    };
    let (start, end) = (bound(1, "start")?, bound(2, "end")?);
    match items.get(start..end) {
        Some(part) => Ok(like(&values[0], part.to_vec())),
        None => Err(wrong(1, "start index must not be greater than end index")),
    }
}

fn reverse(values: &[Value]) -> Computed {
    let Some(items) = values[0].items() else {
        let message = format!(
            "can only reverse list or tuple values, not {}",
            values[0].kind()
        );
        return Err(wrong(0, message));
    };
    Ok(like(&values[0], items.iter().rev().cloned().collect()))
}
