//! The parsers on the tables in `tests/values`, which the Python side runs as well: a value means
//! the same to a driver, whatever it is written in.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use iechor_driver::values;

/// Asserts that a parser takes from each text of a table what the table says.
#[track_caller]
fn assert_table<T: Debug>(
    file: &str,
    parse: impl Fn(&str) -> Result<T, String>,
    show: impl Fn(&T) -> String,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/values")
        .join(file);
    let table = fs::read_to_string(&path).expect("there is a table");
    let cases: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').expect("a tab"))
        .collect();
    assert!(!cases.is_empty(), "{file}");
    for (text, expected) in cases {
        match (expected, parse(text)) {
            ("!", refused) => assert!(refused.is_err(), "{file}: {text:?} is {refused:?}"),
            (expected, parsed) => assert_eq!(
                parsed.as_ref().map(&show),
                Ok(expected.to_owned()),
                "{file}: {text:?}"
            ),
        }
    }
}

#[test]
fn sizes() {
    assert_table("sizes.tsv", values::bytes, u64::to_string);
}

#[test]
fn durations() {
    assert_table("durations.tsv", values::duration, |span| {
        span.as_nanos().to_string()
    });
}

#[test]
fn booleans() {
    assert_table("booleans.tsv", values::boolean, bool::to_string);
}

#[test]
fn integers() {
    assert_table("integers.tsv", values::integer, i64::to_string);
}

#[test]
fn images() {
    assert_table("images.tsv", values::image_reference, String::clone);
}
