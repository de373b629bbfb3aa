//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use crate::deliver::load;
use crate::spec::parse;

/// Reads the values of flags of a build.
pub fn flags(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = parse::output(text);
    let _ = parse::tag(text);
    let _ = parse::pair(text);
    let _ = parse::annotation(text);
    let _ = parse::named_contexts(&[text]);
    let _ = parse::platforms(&[text]);
}

/// Checks an archive for an engine, in pieces whose length is the first byte. The names that it may have
/// are `asked:latest`.
pub fn archives(data: &[u8]) {
    let Some((length, archive)) = data.split_first() else {
        return;
    };
    let pieces: Vec<_> = archive
        .chunks(usize::from(*length).max(1) * 8)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let refusal = Arc::new(OnceLock::new());
    let asked = vec!["asked:latest".to_owned()];
    let passed = load::filter(stream::iter(pieces).boxed(), asked, refusal);
    let _ = passed.collect::<Vec<_>>().now_or_never();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn flags() {
        seeds::run("flags", 300, super::flags);
    }

    #[test]
    fn archives() {
        seeds::run("archives", 300, super::archives);
    }
}
