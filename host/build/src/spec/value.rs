//! Types of values that several settings use.

use std::collections::BTreeMap;

/// Options that are passed on unchanged, by name.
pub type Attributes = BTreeMap<String, String>;

/// Parses a boolean like Go's `strconv.ParseBool`. Returns `None` for other texts.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_those_of_go() {
        assert_eq!(boolean("T"), Some(true));
        assert_eq!(boolean("False"), Some(false));
        assert_eq!(boolean("yes"), None);
    }
}
