//! Times and dates.

use time::{Duration, OffsetDateTime};

use super::timestamp::{Timestamp, layout};
use super::{Computed, Row, any, failed, number, string, text, whole, wrong};
use crate::value::{Number, Value};

pub const FUNCTIONS: &[Row] = &[
    ("timestamp", &[], None, |context, _| {
        Ok(Value::from(
            Timestamp::from(context.environment.now()).to_string(),
        ))
    }),
    (
        "timeadd",
        &[string("timestamp"), string("duration")],
        None,
        |_, values| add(values),
    ),
    (
        "formatdate",
        &[string("format"), string("time")],
        None,
        |_, values| {
            let at = Timestamp::parse(text(values, 1)).map_err(|error| wrong(1, error))?;
            layout(text(values, 0), &at)
                .map(Value::from)
                .map_err(|error| wrong(0, error))
        },
    ),
    (
        "formattimestamp",
        &[string("format"), any("time")],
        None,
        |_, values| format(values),
    ),
    (
        "unixtimestampparse",
        &[number("unix_timestamp")],
        None,
        |_, values| parts(values),
    ),
];

fn add(values: &[Value]) -> Computed {
    let at = Timestamp::parse(text(values, 0)).map_err(failed)?;
    let written = text(values, 1);
    let (negative, rest) = match written.strip_prefix(['-', '+']) {
        Some(rest) => (written.starts_with('-'), rest),
        None => (false, written),
    };
    let duration = iechor_values::duration::parse(rest)
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok());
    let Some(duration) = duration else {
        return Err(failed(invalid_duration(written)));
    };
    let duration = if negative { -duration } else { duration };
    match at.at.checked_add(duration) {
        Some(later) => Ok(Value::from(at.moved(later).to_string())),
        None => Err(failed("the time is out of range")),
    }
}

/// Returns why a duration is wrong, in the words of Go.
fn invalid_duration(written: &str) -> String {
    let units = ["ns", "us", "µs", "ms", "s", "m", "h"];
    let is_digit = |character: char| character.is_ascii_digit() || character == '.';
    let unit = written
        .split(|c| is_digit(c) || c == '-' || c == '+')
        .find(|part| !part.is_empty());
    match unit {
        Some(unit) if written.starts_with(is_digit) && !units.contains(&unit) => {
            format!("time: unknown unit {unit:?} in duration {written:?}")
        }
        _ => format!("time: invalid duration {written:?}"),
    }
}

fn from_unix(value: &Value) -> Option<Timestamp> {
    let Value::Number(number) = value else {
        return None;
    };
    OffsetDateTime::from_unix_timestamp(number.to_i64()?)
        .ok()
        .map(Timestamp::from)
}

fn format(values: &[Value]) -> Computed {
    let at = match &values[1] {
        Value::String(text) => Timestamp::parse(text).map_err(|error| wrong(1, error))?,
        other => from_unix(other).ok_or_else(|| {
            wrong(1, "the time must be a text in the form of RFC 3339 or a whole number of seconds since 1970")
        })?,
    };
    if text(values, 0) == "X" {
        return Ok(Value::from(at.at.unix_timestamp().to_string()));
    }
    layout(text(values, 0), &at)
        .map(Value::from)
        .map_err(|error| wrong(0, error))
}

fn parts(values: &[Value]) -> Computed {
    whole(values, 0, "invalid time")?;
    let Some(Timestamp { at, .. }) = from_unix(&values[0]) else {
        return Err(failed("the time is out of range"));
    };
    let (iso_year, iso_week, _) = at.to_iso_week_date();
    let number = |value: i64| Value::number(Number::from(value));
    let fields = [
        ("year", number(at.year().into())),
        ("year_day", number(at.ordinal().into())),
        ("day", number(at.day().into())),
        ("month", number(u8::from(at.month()).into())),
        ("month_name", Value::from(at.month().to_string())),
        (
            "weekday",
            number(at.weekday().number_days_from_sunday().into()),
        ),
        ("weekday_name", Value::from(at.weekday().to_string())),
        ("hour", number(at.hour().into())),
        ("minute", number(at.minute().into())),
        ("second", number(at.second().into())),
        ("rfc3339", Value::from(Timestamp::from(at).to_string())),
        ("iso_year", number(iso_year.into())),
        ("iso_week", number(iso_week.into())),
    ];
    Ok(Value::object(
        fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    ))
}
