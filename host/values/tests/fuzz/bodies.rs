//! Bodies of the fuzz targets of this crate, see `fuzz/README.md`. They are not in the crate, because a new
//! driver has a copy of it.

use iechor_values::image::{Reference, image_reference};
use iechor_values::{csv, duration, size};

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
