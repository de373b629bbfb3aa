//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use crate::{Content, merge};

/// Reads a manifest or an index. An index that is merged with itself is what it was merged to.
pub fn manifests(data: &[u8]) {
    match Content::read(data) {
        Ok(Content::Index(part)) => {
            let merged = merge(vec![part.clone(), part], &[]);
            match Content::read(&merged.to_bytes()) {
                Ok(Content::Index(again)) => assert_eq!(merge(vec![again], &[]), merged),
                other => panic!("not an index: {other:?}"),
            }
        }
        Ok(Content::Manifest(manifest)) => {
            let _ = manifest.with_config(data);
        }
        Err(_) => {}
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
    fn manifests() {
        seeds::run("manifests", 300, super::manifests);
    }
}
