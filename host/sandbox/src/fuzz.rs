//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use crate::anatomy;
use crate::grant::Grant;
use crate::policy::DriverPattern;

/// Checks a component before anything is compiled.
pub fn components(data: &[u8]) {
    let _ = anatomy::check("fuzz", data);
}

/// Reads grants and patterns of policies.
pub fn grants(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(grant) = Grant::parse(text) {
            let again = Grant::parse(&grant.to_string()).expect("the text of a grant is a grant");
            assert_eq!(again.to_string(), grant.to_string());
        }
        let _ = Grant::parse_any(text);
        let _ = DriverPattern::parse(text);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn components() {
        seeds::run("components", 300, super::components);
    }

    #[test]
    fn grants() {
        seeds::run("grants", 300, super::grants);
    }
}
