//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::path::Path;
use std::str::FromStr as _;

use crate::lock;
use crate::{DriverReference, Source};

/// Reads a lock file. What is written can be read.
pub fn lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("/nonexistent/drivers.lock");
    if let Ok(lock) = lock::parse(path, text) {
        let _ = lock.broken_drivers().count();
        if let Ok(written) = lock::render(&lock) {
            lock::parse(path, &written).expect("what is written can be read");
        }
    }
    let _ = Source::from_str(text);
    let _ = DriverReference::from_str(text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn lock() {
        seeds::run("lock", 300, super::lock);
    }
}
