//! The seeds of a fuzz target, and small changes of them. Each crate with fuzz targets runs this in its
//! tests, so that the targets keep working and the known faults stay mended.

use std::fs;
use std::path::Path;

/// Bytes that are put in the place of others: separators of all formats, and extremes.
const BYTES: &[u8] = b"\0\xff\x7f\n/\\,=\":{[*!";

/// Runs a target over its seeds in `fuzz/seeds`: as they are, cut, and with changed bytes. Makes about
/// `most` runs for each seed.
pub fn run(target: &str, most: usize, body: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target);
    let mut seeds: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} has no seeds", directory.display());
    for seed in seeds {
        let data = fs::read(&seed).unwrap();
        body(&data);
        let step = (2 * data.len()).div_ceil(most).max(1);
        for at in (0..data.len()).step_by(step) {
            body(&data[..at]);
            let mut changed = data.clone();
            changed[at] = BYTES[(at / step) % BYTES.len()];
            body(&changed);
        }
    }
}
