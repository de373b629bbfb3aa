//! Options for drivers, as text.
//!
//! Each value is a line of CSV (RFC 4180): options separated by commas. An option that contains
//! commas is quoted as a whole: `'"env.no_proxy=a,b"'`. The driver checks names and values.

use std::collections::BTreeMap;
use std::fmt;

use iechor_values::csv::{CsvError, fields};

/// An error in one value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverOptionError {
    /// A field is not `name=value`.
    #[error("invalid value {field:?}, expecting k=v")]
    NoValue {
        /// The field.
        field: String,
    },
    /// The value is not CSV.
    #[error("invalid value {value:?}: {source}")]
    Csv {
        /// The whole value.
        value: String,
        /// The fault.
        source: CsvError,
    },
}

/// All errors in the values, one on each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverOptionErrors(pub Vec<DriverOptionError>);

impl fmt::Display for DriverOptionErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for DriverOptionErrors {}

/// Parses values. Names keep their case, and the last value of a repeated name counts.
///
/// # Errors
///
/// All errors of all values.
pub fn parse<S: AsRef<str>>(values: &[S]) -> Result<BTreeMap<String, String>, DriverOptionErrors> {
    let mut options = BTreeMap::new();
    let mut errors = Vec::new();
    for value in values {
        let value = value.as_ref();
        let fields = match fields(value) {
            Ok(fields) => fields,
            Err(source) => {
                errors.push(DriverOptionError::Csv {
                    value: value.to_owned(),
                    source,
                });
                continue;
            }
        };
        for field in fields {
            match field.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    options.insert(name.to_owned(), value.to_owned());
                }
                _ => errors.push(DriverOptionError::NoValue { field }),
            }
        }
    }
    if errors.is_empty() {
        Ok(options)
    } else {
        Err(DriverOptionErrors(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn options_are_read() {
        let options = parse(&[
            "network=host,image=moby/buildkit:master",
            "\"env.no_proxy=a,b\"",
            "env.X=a=b",
            "memory=",
            "image=last",
            "Image=other",
        ])
        .unwrap();
        let expected = [
            ("Image", "other"),
            ("env.X", "a=b"),
            ("env.no_proxy", "a,b"),
            ("image", "last"),
            ("memory", ""),
            ("network", "host"),
        ];
        let options: Vec<(&str, &str)> = options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(options, expected);
        assert!(parse::<&str>(&[]).unwrap().is_empty());
    }

    #[test]
    fn all_errors_come_at_once() {
        let error = parse(&["network", "a=1,b,=c", "x=\"y\"", ""]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid value \"network\", expecting k=v\n\
             invalid value \"b\", expecting k=v\n\
             invalid value \"=c\", expecting k=v\n\
             invalid value \"x=\\\"y\\\"\": bare \" in non-quoted field (column 3); quote the whole field and write \"\" for a quotation mark in it\n\
             invalid value \"\", expecting k=v"
        );
    }

    proptest! {
        #[test]
        fn quoted_fields_come_back(list in prop::collection::vec(".*", 1..6)) {
            let line: Vec<String> = list
                .iter()
                .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
                .collect();
            prop_assert_eq!(fields(&line.join(",")).unwrap(), list);
        }

        #[test]
        fn plain_fields_come_back(list in prop::collection::vec("[^,\"\r\n]*", 1..6)) {
            prop_assert_eq!(fields(&list.join(",")).unwrap(), list);
        }

        #[test]
        fn nothing_panics(text in "[a\",=\r\n ä]*") {
            let _ = fields(&text);
            let _ = parse(&[text]);
        }

        #[test]
        fn options_come_back(
            options in prop::collection::btree_map("[^=]+", ".*", 0..6)
        ) {
            let values: Vec<String> = options
                .iter()
                .map(|(name, value)| format!("\"{}\"", format!("{name}={value}").replace('"', "\"\"")))
                .collect();
            prop_assert_eq!(parse(&values).unwrap(), options);
        }
    }
}
