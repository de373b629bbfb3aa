//! Filters of cache records, in the grammar of `docker buildx prune --filter`.

use std::collections::BTreeMap;
use std::time::Duration;

use iechor_values::duration;

/// The filter for the time since the last use.
const UNTIL: &str = "until";

/// The old name of [`UNTIL`].
const UNUSED_FOR: &str = "unused-for";

/// A choice of cache records. The default is all records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheFilter {
    /// Conditions in the grammar of BuildKit, joined by commas; empty for none.
    pub(super) expression: String,
    /// Time since the last use within which a record is left out.
    pub(super) unused_for: Duration,
}

/// The reason why filters cannot be used. The texts are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The text has no `=`.
    #[error("bad format of filter (expected name=value)")]
    Form {
        /// The text.
        text: String,
    },
    /// Both names of the same filter are given.
    #[error("conflicting filters \"until\" and \"unused-for\"")]
    Conflict,
    /// The value is not a duration.
    #[error("{name:?} filter expects a duration (e.g., '24h'): time: invalid duration {value:?}")]
    Duration {
        /// Name of the filter.
        name: String,
        /// The value.
        value: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// A filter has several values.
    #[error("{name:?} filter expects only one value")]
    Several {
        /// Name of the filter.
        name: String,
    },
}

/// Values by the name of their filter, each once.
type Values = BTreeMap<String, Vec<String>>;

impl CacheFilter {
    /// Parses filters, each `NAME=VALUE`. `configured` has filters of the user's configuration; one that is
    /// also among `given` does not apply, and a text without `=` there is ignored, as by the Docker CLI.
    ///
    /// - `until=DURATION` leaves out what was used within that time; `unused-for` is its old name.
    /// - `NAME=VALUE` chooses the records whose field has that value; `NAME!=VALUE` those with another one;
    ///   `NAME~=EXPRESSION` those whose value matches a regular expression; `id` is always an expression.
    /// - `NAME=` chooses the records that have the field.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn parse(given: &[String], configured: &[String]) -> Result<Self, FilterError> {
        let mut values = Values::new();
        for text in given.iter().filter(|text| !text.is_empty()) {
            let Some((name, value)) = text.split_once('=') else {
                return Err(FilterError::Form { text: text.clone() });
            };
            add(&mut values, name, value);
        }
        let own: Vec<_> = values.keys().map(|name| kind(name).to_owned()).collect();
        for text in configured {
            if let Some((name, value)) = text.split_once('=')
                && !own.iter().any(|own| own == kind(&cleaned(name)))
            {
                add(&mut values, name, value);
            }
        }
        Self::of(values)
    }

    /// Returns whether all records are chosen.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the conditions for BuildKit.
    pub(super) fn conditions(&self) -> Vec<String> {
        match self.expression.as_str() {
            "" => Vec::new(),
            expression => vec![expression.to_owned()],
        }
    }

    fn of(mut values: Values) -> Result<Self, FilterError> {
        let times = [UNTIL, UNUSED_FOR].map(|name| (name, values.remove(name)));
        let unused_for = match times {
            [(_, Some(_)), (_, Some(_))] => return Err(FilterError::Conflict),
            [(name, Some(times)), _] | [_, (name, Some(times))] => time(name, times)?,
            _ => Duration::ZERO,
        };
        let conditions = values
            .into_iter()
            .map(|(name, values)| condition(name, values));
        let conditions: Vec<_> = conditions.collect::<Result<_, _>>()?;
        Ok(Self {
            expression: conditions.join(","),
            unused_for,
        })
    }
}

fn add(values: &mut Values, name: &str, value: &str) {
    let values = values.entry(cleaned(name)).or_default();
    let value = value.trim();
    if !values.iter().any(|known| known == value) {
        values.push(value.to_owned());
    }
}

/// Returns the name of a filter as the Docker CLI does.
fn cleaned(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Returns what a filter is about: the two names of a filter are the same.
fn kind(name: &str) -> &str {
    match name {
        UNUSED_FOR => UNTIL,
        other => other,
    }
}

fn only(name: &str, values: Vec<String>) -> Result<String, FilterError> {
    match <[String; 1]>::try_from(values) {
        Ok([value]) => Ok(value),
        Err(_) => Err(FilterError::Several {
            name: name.to_owned(),
        }),
    }
}

fn time(name: &str, values: Vec<String>) -> Result<Duration, FilterError> {
    let value = only(name, values)?;
    duration::parse(&value).map_err(|reason| FilterError::Duration {
        name: name.to_owned(),
        value,
        reason,
    })
}

fn condition(name: String, values: Vec<String>) -> Result<String, FilterError> {
    let value = only(&name, values)?;
    if value.is_empty() {
        return Ok(name);
    }
    let operator = match name.as_str() {
        "id" => "~=",
        name if name.ends_with(['!', '~']) => "=",
        _ => "==",
    };
    Ok(format!("{name}{operator}{}", quoted(&value)))
}

/// Returns a value as BuildKit reads it whole. A value with a quotation mark at its beginning is quoted
/// already.
fn quoted(value: &str) -> String {
    let is_quoted = value.starts_with(['"', '|', '/']);
    let ends = |c: char| c == ',' || c.is_whitespace();
    match is_quoted || !value.contains(ends) {
        true => value.to_owned(),
        false => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &[&str], configured: &[&str]) -> Result<(String, u64), String> {
        let owned = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| (*text).to_owned()).collect()
        };
        CacheFilter::parse(&owned(given), &owned(configured))
            .map(|filter| (filter.expression, filter.unused_for.as_secs()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn filters_are_written_as_by_the_peer() {
        for (given, expected) in [
            (&[][..], ""),
            (&[""], ""),
            (&["type=source.local"], "type==source.local"),
            (&["Type = regular ", "id=ab"], "id~=ab,type==regular"),
            (&["type!=regular"], "type!=regular"),
            (&["description~=copy"], "description~=copy"),
            (&["type=regular", "type=regular"], "type==regular"),
            (&["inuse="], "inuse"),
            (
                &["description~=from exec a,b"],
                r#"description~="from exec a,b""#,
            ),
            (&[r#"description~="a b""#], r#"description~="a b""#),
        ] {
            assert_eq!(parsed(given, &[]), Ok((expected.into(), 0)), "{given:?}");
        }
        assert_eq!(parsed(&["until=24h"], &[]), Ok((String::new(), 86_400)));
        assert_eq!(parsed(&["unused-for=1m"], &[]), Ok((String::new(), 60)));
    }

    #[test]
    fn filters_that_cannot_be_used_have_the_texts_of_the_peer() {
        for (given, expected) in [
            (
                &["banana"][..],
                "bad format of filter (expected name=value)",
            ),
            (
                &["until=1h", "unused-for=1h"],
                "conflicting filters \"until\" and \"unused-for\"",
            ),
            (
                &["until=x"],
                "\"until\" filter expects a duration (e.g., '24h'): time: invalid duration \"x\"",
            ),
            (
                &["until=1h", "until=2h"],
                "\"until\" filter expects only one value",
            ),
            (
                &["type=a", "type=b"],
                "\"type\" filter expects only one value",
            ),
        ] {
            assert_eq!(parsed(given, &[]), Err(expected.into()), "{given:?}");
        }
    }

    #[test]
    fn given_filters_replace_configured_ones() {
        let configured = &["until=24h", "type=regular", "no filter"];
        for (given, expected) in [
            (&[][..], ("type==regular", 86_400)),
            (&["until=1h"], ("type==regular", 3600)),
            (&["unused-for=1h"], ("type==regular", 3600)),
            (&["type=internal"], ("type==internal", 86_400)),
        ] {
            let expected = (expected.0.to_owned(), expected.1);
            assert_eq!(parsed(given, configured), Ok(expected), "{given:?}");
        }
    }
}
