//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::path::Path;

use crate::name::Name;
use crate::{buildkitd_config, driver_options};

/// Reads a `buildkitd.toml`. The files that it names do not exist.
pub fn daemon_config(data: &[u8]) {
    let nowhere = Path::new("/nonexistent");
    let _ = buildkitd_config::parse(&nowhere.join("buildkitd.toml"), nowhere, data.to_vec());
}

/// Reads names of builders and options of drivers.
pub fn words(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Name::parse(text);
        let _ = driver_options::parse(&text.lines().collect::<Vec<_>>());
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
    fn daemon_config() {
        seeds::run("daemon_config", 300, super::daemon_config);
    }

    #[test]
    fn words() {
        seeds::run("words", 300, super::words);
    }
}
