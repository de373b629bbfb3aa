//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use crate::image::{Reference, image_reference};
use crate::{csv, duration, size};

/// Splits a line of comma-separated values.
pub fn csv(data: &[u8]) {
    if let Ok(line) = std::str::from_utf8(data) {
        let _ = csv::fields(line);
    }
}

/// Reads durations and sizes.
pub fn values(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = duration::parse(text);
        let _ = size::parse(text);
        let _ = size::parse_or_unlimited(text);
    }
}

/// Reads the reference of an image. The canonical form of a valid one means the same image.
pub fn images(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = Reference::may_be_id(text);
    let _ = Reference::parse(text).canonical();
    let checked = Reference::check(text);
    // The canonical form may be longer than a reference can be.
    if image_reference(text).is_ok() && text.len() < 200 {
        let canonical = checked.expect("what is valid is safe").canonical();
        let again = Reference::check(&canonical).expect("the canonical form is a reference");
        assert_eq!(again.canonical(), canonical, "{text:?}");
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
    fn csv() {
        seeds::run("csv", 300, super::csv);
    }

    #[test]
    fn values() {
        seeds::run("values", 300, super::values);
    }

    #[test]
    fn images() {
        seeds::run("images", 300, super::images);
    }
}
