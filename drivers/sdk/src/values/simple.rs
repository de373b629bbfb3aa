//! Truth values and whole numbers.

/// Parses a decimal whole number.
///
/// # Errors
///
/// What is wrong with the text.
pub fn integer(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a whole number (for example 100000)"))
}

/// Parses a truth value, as Go's `strconv.ParseBool`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// Parses a decimal whole number that is zero or more.
///
/// # Errors
///
/// What is wrong with the text.
pub fn not_negative(text: &str) -> Result<i64, String> {
    let number = integer(text)?;
    if number < 0 {
        return Err(format!("{text:?} is negative"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_and_numbers() {
        assert_eq!(boolean("True"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("yes").is_err());
        assert_eq!(integer("-1"), Ok(-1));
        assert!(integer("1.5").is_err());
        assert!(integer("").is_err());
        assert_eq!(not_negative("0"), Ok(0));
        assert!(not_negative("-1").is_err());
    }
}
