//! Limits of the processes of the steps, as `ulimit` of a shell has them.

use std::fmt;

use iechor_values::ulimit::NAMES;

/// A limit of processes. `-1` means that there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// The limit that a process has at first.
    pub soft: i64,
    /// The limit up to which a process may raise the soft limit.
    pub hard: i64,
}

/// The reason why a text is not `NAME=SOFT[:HARD]`.
// Docker's go-units prints the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UlimitError {
    /// There is no `=`.
    #[error("invalid ulimit argument: {text}")]
    Form {
        /// The text.
        text: String,
    },
    /// There is no limit of that name.
    #[error("invalid ulimit type: {name}")]
    Name {
        /// The name.
        name: String,
    },
    /// There are more than two numbers.
    #[error("too many limit value arguments - {values}, can only have up to two, `soft[:hard]`")]
    TooMany {
        /// The part after the `=`.
        values: String,
    },
    /// A limit is not a number.
    #[error("strconv.ParseInt: parsing {text:?}: {}", fault(*.is_out_of_range))]
    Number {
        /// The text.
        text: String,
        /// Whether it is a number that is too large.
        is_out_of_range: bool,
    },
    /// There is a hard limit, but no soft limit.
    #[error(
        "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
    )]
    Unlimited {
        /// The hard limit.
        hard: i64,
    },
    /// The soft limit is greater than the hard limit.
    #[error("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")]
    Order {
        /// The soft limit.
        soft: i64,
        /// The hard limit.
        hard: i64,
    },
}

impl Ulimit {
    /// Parses `NAME=SOFT[:HARD]`. Returns the name and the limit.
    ///
    /// # Errors
    ///
    /// Returns the fault of the text.
    pub fn parse(text: &str) -> Result<(String, Self), UlimitError> {
        let (name, values) = text.split_once('=').ok_or_else(|| UlimitError::Form {
            text: text.to_owned(),
        })?;
        if !NAMES.contains(&name) {
            return Err(UlimitError::Name {
                name: name.to_owned(),
            });
        }
        let parts: Vec<&str> = values.split(':').collect();
        let (soft, hard) = match parts.as_slice() {
            [soft] => (number(soft)?, None),
            [soft, hard] => (number(soft)?, Some(number(hard)?)),
            _ => {
                return Err(UlimitError::TooMany {
                    values: values.to_owned(),
                });
            }
        };
        let hard = hard.unwrap_or(soft);
        match (soft, hard) {
            (_, -1) => {}
            (-1, hard) => return Err(UlimitError::Unlimited { hard }),
            (soft, hard) if soft > hard => return Err(UlimitError::Order { soft, hard }),
            _ => {}
        }
        Ok((name.to_owned(), Self { soft, hard }))
    }
}

impl fmt::Display for Ulimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.soft, self.hard)
    }
}

fn fault(is_out_of_range: bool) -> &'static str {
    match is_out_of_range {
        true => "value out of range",
        false => "invalid syntax",
    }
}

fn number(text: &str) -> Result<i64, UlimitError> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse()
        .map_err(|error: std::num::ParseIntError| UlimitError::Number {
            text: text.to_owned(),
            is_out_of_range: matches!(error.kind(), PosOverflow | NegOverflow),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_soft_and_hard() {
        for (text, name, shown) in [
            ("nofile=1024", "nofile", "1024:1024"),
            ("nofile=1024:2048", "nofile", "1024:2048"),
            ("core=0", "core", "0:0"),
            ("memlock=-1:-1", "memlock", "-1:-1"),
            ("stack=5:-1", "stack", "5:-1"),
            ("nproc=+7", "nproc", "7:7"),
        ] {
            let (parsed, limit) = Ulimit::parse(text).expect(text);
            assert_eq!((parsed.as_str(), limit.to_string().as_str()), (name, shown));
        }
    }

    #[test]
    fn faults_are_described_as_docker_does() {
        for (text, said) in [
            ("nofile", "invalid ulimit argument: nofile"),
            ("banana=1", "invalid ulimit type: banana"),
            (
                "nofile=1:2:3",
                "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`",
            ),
            (
                "nofile=x",
                "strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            ("nofile=", "strconv.ParseInt: parsing \"\": invalid syntax"),
            (
                "nofile=99999999999999999999",
                "strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
            ),
            (
                "nofile=3:2",
                "ulimit soft limit must be less than or equal to hard limit: 3 > 2",
            ),
            (
                "nofile=-1:2",
                "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 2",
            ),
        ] {
            assert_eq!(Ulimit::parse(text).expect_err(text).to_string(), said);
        }
    }
}
