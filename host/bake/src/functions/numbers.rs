//! Numbers.

use num_bigint::BigInt;

use super::{Computed, Row, any, failed, number, numeric, whole, wrong};
use crate::value::{Number, Type, Value};

/// Most values that `range` generates.
const MOST: usize = 1024;

pub const FUNCTIONS: &[Row] = &[
    ("absolute", &[number("num")], None, |_, values| {
        let number = numeric(values, 0)?;
        Ok(Value::number(if number.has_minus() {
            number.negated()
        } else {
            number.clone()
        }))
    }),
    ("add", &[number("a"), number("b")], None, |_, values| {
        combine(
            values,
            Number::plus,
            "can't compute sum of opposing infinities",
        )
    }),
    (
        "subtract",
        &[number("a"), number("b")],
        None,
        |_, values| combine(values, Number::minus, "can't subtract infinity from itself"),
    ),
    (
        "multiply",
        &[number("a"), number("b")],
        None,
        |_, values| combine(values, Number::times, "can't multiply zero by infinity"),
    ),
    ("divide", &[number("a"), number("b")], None, |_, values| {
        combine(
            values,
            Number::divided_by,
            "can't divide zero by zero or infinity by infinity",
        )
    }),
    ("modulo", &[number("a"), number("b")], None, |_, values| {
        combine(
            values,
            Number::modulo,
            "can't use modulo with zero and infinity",
        )
    }),
    ("negate", &[number("num")], None, |_, values| {
        Ok(Value::number(numeric(values, 0)?.negated()))
    }),
    ("ceil", &[number("num")], None, |_, values| round(values, 1)),
    ("floor", &[number("num")], None, |_, values| {
        round(values, -1)
    }),
    ("int", &[number("num")], None, |_, values| round(values, 0)),
    ("max", &[], Some(number("numbers")), |_, values| {
        extreme(values, |a, b| a > b)
    }),
    ("min", &[], Some(number("numbers")), |_, values| {
        extreme(values, |a, b| a < b)
    }),
    (
        "pow",
        &[number("num"), number("power")],
        None,
        |_, values| double(values, f64::powf),
    ),
    (
        "log",
        &[number("num"), number("base")],
        None,
        |_, values| double(values, |number, base| number.ln() / base.ln()),
    ),
    ("signum", &[number("num")], None, |_, values| {
        let number = numeric(values, 0)?;
        let value = number
            .to_i64()
            .ok_or_else(|| failed(super::not_whole(number)))?;
        Ok(Value::number(value.signum()))
    }),
    (
        "parseint",
        &[any("number"), number("base")],
        None,
        |_, values| parse_integer(values),
    ),
    ("range", &[], Some(number("params")), |_, values| {
        range(values)
    }),
];

fn combine(
    values: &[Value],
    compute: fn(&Number, &Number) -> Option<Number>,
    problem: &str,
) -> Computed {
    let result = compute(numeric(values, 0)?, numeric(values, 1)?);
    result.map(Value::number).ok_or_else(|| failed(problem))
}

/// Rounds up (1), down (-1) or towards zero (0).
fn round(values: &[Value], direction: i8) -> Computed {
    let number = numeric(values, 0)?;
    let Some(mut integer) = number.truncated() else {
        return Ok(Value::number(number.clone()));
    };
    if number.to_integer().is_none() {
        match (direction, number.is_negative()) {
            (1, false) => integer += 1,
            (-1, true) => integer -= 1,
            _ => {}
        }
    }
    Ok(Value::number(integer))
}

fn extreme(values: &[Value], better: fn(&Number, &Number) -> bool) -> Computed {
    let mut best: Option<&Number> = None;
    for index in 0..values.len() {
        let number = numeric(values, index)?;
        if best.is_none_or(|best| better(number, best)) {
            best = Some(number);
        }
    }
    match best {
        Some(best) => Ok(Value::number(best.clone())),
        None => Err(failed("must pass at least one number")),
    }
}

fn double(values: &[Value], compute: fn(f64, f64) -> f64) -> Computed {
    let result = compute(numeric(values, 0)?.to_f64(), numeric(values, 1)?.to_f64());
    Number::from_f64(result)
        .map(Value::number)
        .ok_or_else(|| failed("the result is not a number"))
}

fn parse_integer(values: &[Value]) -> Computed {
    let text = match &values[0] {
        Value::String(text) => text,
        other => {
            let message = format!("first argument must be a string, not {}", other.kind());
            return Err(wrong(0, message));
        }
    };
    let problem = "base must be a whole number between 2 and 62 inclusive";
    let base = whole(values, 1, problem).map_err(|_| wrong(1, problem))?;
    let base = match u32::try_from(base) {
        Ok(base @ 2..=62) => base,
        _ => return Err(wrong(1, problem)),
    };
    match Number::parse_integer(text, base) {
        Some(number) => Ok(Value::number(number)),
        None => Err(wrong(
            0,
            format!("cannot parse {text:?} as a base {base} integer"),
        )),
    }
}

fn range(values: &[Value]) -> Computed {
    let zero = Number::from(0_i64);
    let (start, end) = match values.len() {
        1 => (&zero, numeric(values, 0)?),
        2 | 3 => (numeric(values, 0)?, numeric(values, 1)?),
        _ => return Err(failed("must have one, two, or three arguments")),
    };
    let one = Number::from(if end < start { -1_i64 } else { 1 });
    let step = if values.len() == 3 {
        numeric(values, 2)?
    } else {
        &one
    };
    let down = step.is_negative();
    if down && end > start {
        return Err(wrong(
            1,
            "end must be less than start when step is negative",
        ));
    }
    if !down && end < start {
        return Err(wrong(
            1,
            "end must be greater than start when step is positive",
        ));
    }
    let mut numbers = Vec::new();
    let mut at = start.clone();
    while if down { at > *end } else { at < *end } {
        if numbers.len() >= MOST {
            return Err(failed(format!(
                "more than {MOST} values were generated; either decrease the difference between start and end or use a smaller step"
            )));
        }
        numbers.push(Value::number(at.clone()));
        at = at
            .plus(step)
            .unwrap_or_else(|| Number::from(BigInt::from(0)));
    }
    Ok(Value::list(Type::Number, numbers))
}
