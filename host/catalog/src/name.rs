//! Names of installed drivers.

use iechor_sandbox::Embedded;

use crate::error::CatalogError;

/// Maximum length of a name, in characters.
const LONGEST: usize = 200;

/// Checks the name of a driver to install. It must start with a letter, and contain only letters,
/// digits, `.`, `-` and `_`. It must not look like a file or be the name of a built-in driver.
///
/// # Errors
///
/// Returns [`CatalogError::Name`] or [`CatalogError::BuiltIn`].
pub(crate) fn check(name: &str) -> Result<(), CatalogError> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let reason =
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(of_name) {
            "a name must start with a letter and must not contain symbols except ._-"
        } else if name.len() > LONGEST {
            "it is too long"
        } else if name.ends_with(".wasm") {
            "it would be taken for a file"
        } else if Embedded::names().any(|built_in| built_in.eq_ignore_ascii_case(name)) {
            return Err(CatalogError::BuiltIn {
                name: name.to_owned(),
            });
        } else {
            return Ok(());
        };
    Err(CatalogError::Name {
        name: name.chars().take(LONGEST).collect(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_drivers_cannot_have() {
        for name in ["docker-container", "Iechor-Container"] {
            let error = check(name).expect_err(name);
            assert!(matches!(error, CatalogError::BuiltIn { .. }), "{error}");
            assert!(error.to_string().contains("is built in"), "{error}");
        }
        let long = "a".repeat(LONGEST + 1);
        for (name, words) in [
            ("a/b", "cannot be the name"),
            ("", "cannot be the name"),
            ("a.wasm", "taken for a file"),
            ("oci://a", "cannot be the name"),
            (&long, "too long"),
        ] {
            let error = check(name).expect_err(name);
            assert!(matches!(error, CatalogError::Name { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(check("team").is_ok());
    }
}
