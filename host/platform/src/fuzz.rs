//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::str::FromStr as _;

use crate::Platform;

/// Reads a platform. Its text means the same platform.
pub fn platforms(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(platform) = Platform::from_str(text) {
        let shown = platform.to_string();
        assert_eq!(
            Platform::from_str(&shown).as_ref(),
            Ok(&platform),
            "{text:?}"
        );
    }
    let _ = Platform::parse_list(&text.lines().collect::<Vec<_>>());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn platforms() {
        seeds::run("platforms", 300, super::platforms);
    }
}
