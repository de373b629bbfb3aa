//! Options for drivers, as text.
//!
//! Each value is a line of CSV (RFC 4180): options separated by commas. An option that contains
//! commas is quoted as a whole: `'"env.no_proxy=a,b"'`. The driver checks names and values.

use std::collections::BTreeMap;
use std::fmt;

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
        /// What is wrong with it.
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

/// Reasons why a text is not a line of CSV. Columns count bytes from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// A quotation mark within a field that does not start with one.
    #[error(
        "bare \" in non-quoted field (column {column}); quote the whole field and write \"\" for a quotation mark in it"
    )]
    BareQuote {
        /// Column of the character.
        column: usize,
    },
    /// Text behind the closing quotation mark of a field.
    #[error("extraneous text after the \" that closes a field (column {column})")]
    AfterQuote {
        /// Column of the text.
        column: usize,
    },
    /// The closing quotation mark is missing.
    #[error("the \" that opens a field (column {column}) is not closed")]
    OpenQuote {
        /// Column of the field.
        column: usize,
    },
    /// A line break that is not within quotation marks.
    #[error("line break outside of quotation marks (column {column})")]
    LineBreak {
        /// Column of the character.
        column: usize,
    },
}

/// Splits one line of CSV into its fields. Spaces are part of a field. A line break at the end is
/// ignored.
pub fn fields(line: &str) -> Result<Vec<String>, CsvError> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let column = line.len() - rest.len() + 1;
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, column)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                if let Some(offset) = field.find('"') {
                    return Err(CsvError::BareQuote {
                        column: column + offset,
                    });
                }
                if let Some(offset) = field.find(['\n', '\r']) {
                    return Err(CsvError::LineBreak {
                        column: column + offset,
                    });
                }
                (field.to_owned(), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => {
                return Err(CsvError::AfterQuote {
                    column: line.len() - after.len() + 1,
                });
            }
        }
    }
}

/// Returns a field, from the text behind its opening quotation mark, and what follows its closing
/// one.
fn quoted_field(text: &str, column: usize) -> Result<(String, &str), CsvError> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once('"') else {
            return Err(CsvError::OpenQuote { column });
        };
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Ok((field, after)),
        }
    }
}

/// Parses values. Names keep their case, and the last value of a repeated name counts. All errors
/// are returned together.
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
    fn fields_are_split() {
        for (line, expected) in [
            ("a", vec!["a"]),
            ("a,b", vec!["a", "b"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            (" a , b ", vec![" a ", " b "]),
            ("\"a,b\"", vec!["a,b"]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("c,\"a\"\"b\"", vec!["c", "a\"b"]),
            ("\"\"", vec![""]),
            ("\"a\nb\"", vec!["a\nb"]),
            ("a\r\n", vec!["a"]),
        ] {
            assert_eq!(fields(line).unwrap(), expected, "{line:?}");
        }
        for (line, expected) in [
            ("a\"b", CsvError::BareQuote { column: 2 }),
            ("x,a=\"b\"", CsvError::BareQuote { column: 5 }),
            ("\"a\"b", CsvError::AfterQuote { column: 4 }),
            ("x,\"a", CsvError::OpenQuote { column: 3 }),
            ("\"", CsvError::OpenQuote { column: 1 }),
            ("a\nb", CsvError::LineBreak { column: 2 }),
        ] {
            assert_eq!(fields(line), Err(expected), "{line:?}");
        }
    }

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
