//! One line of CSV, as `--driver-opt` and `--output` take it.
//!
//! The rules are those of RFC 4180 and of Go's `encoding/csv`, which docker buildx uses: fields are separated by
//! commas, and a field that has commas itself is quoted as a whole, `"env.no_proxy=a,b"`.

use std::error::Error;
use std::fmt;

/// A fault of a text that is not a line of CSV. Columns count bytes from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvError {
    /// A quotation mark within a field that does not start with one.
    BareQuote {
        /// Column of the quotation mark.
        column: usize,
    },
    /// Text after the closing quotation mark of a field.
    AfterQuote {
        /// Column of the text.
        column: usize,
    },
    /// A field whose closing quotation mark is missing.
    OpenQuote {
        /// Column of the field.
        column: usize,
    },
    /// A line break outside of quotation marks.
    LineBreak {
        /// Column of the line break.
        column: usize,
    },
}

impl fmt::Display for CsvError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareQuote { column } => write!(
                formatter,
                "bare \" in non-quoted field (column {column}); quote the whole field and write \"\" for a \
                 quotation mark in it"
            ),
            Self::AfterQuote { column } => write!(
                formatter,
                "extraneous text after the \" that closes a field (column {column})"
            ),
            Self::OpenQuote { column } => write!(
                formatter,
                "the \" that opens a field (column {column}) is not closed"
            ),
            Self::LineBreak { column } => write!(
                formatter,
                "line break outside of quotation marks (column {column})"
            ),
        }
    }
}

impl Error for CsvError {}

/// Splits one line of CSV into its fields. Spaces are part of a field. A line break at the end is removed.
///
/// # Errors
///
/// The first fault, with its column.
pub fn fields(line: &str) -> Result<Vec<String>, CsvError> {
    fields_between(',', line)
}

/// Does what [`fields`] does for fields that are separated by another character.
///
/// # Errors
///
/// The first fault, with its column.
pub fn fields_between(separator: char, line: &str) -> Result<Vec<String>, CsvError> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let column = line.len() - rest.len() + 1;
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, column)?,
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
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
        match after.strip_prefix(separator) {
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

/// Splits a text that begins after the opening quotation mark of a field into the field and the text after its
/// closing quotation mark.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_character_separates_fields() {
        let split = |line| fields_between(':', line);
        assert_eq!(
            split("run=1,2,3:\"a:b\":"),
            Ok(vec!["run=1,2,3".into(), "a:b".into(), String::new()])
        );
        assert_eq!(split("a:b\""), Err(CsvError::BareQuote { column: 4 }));
    }

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
            assert_eq!(fields(line).expect(line), expected, "{line:?}");
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
}
