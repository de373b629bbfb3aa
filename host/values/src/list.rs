//! Lists in options of drivers.

/// Separates the values of an option that takes several. A comma would have to be quoted within `--driver-opt`.
pub const SEPARATOR: char = ';';

/// Splits a list of values at `;`. Removes spaces around each value, and an empty value at the end.
///
/// # Errors
///
/// That a value is empty.
pub fn split(text: &str) -> Result<Vec<&str>, String> {
    let text = text.trim().trim_end_matches(SEPARATOR);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<_> = text.split(SEPARATOR).map(str::trim).collect();
    if values.contains(&"") {
        return Err(format!(
            "{text:?} has an empty value between two '{SEPARATOR}'"
        ));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_by_semicolons() {
        for (text, expected) in [
            ("", &[][..]),
            (" ; ", &[]),
            ("a", &["a"]),
            ("a;b", &["a", "b"]),
            (" a ; b=c,d ;", &["a", "b=c,d"]),
        ] {
            assert_eq!(split(text).as_deref(), Ok(expected), "{text:?}");
        }
        for text in ["a;;b", ";a", "a; ;b"] {
            assert!(split(text).is_err(), "{text:?}");
        }
    }
}
