//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use crate::deliver::{load, merge};
use crate::spec::{Attestations, Cache, Call, Entitlement, Secret, SshAgent, parse};

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
    let _ = Call::parse(text);
    let _ = Entitlement::parse(text);
    let mut attestations = Attestations::default();
    let _ = attestations.add(text);
    let _ = attestations.add_short("provenance", text);
}

/// Reads secrets and SSH agents. The variable `SET` is set.
pub fn secrets(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let variable = |name: &str| (name == "SET").then(|| b"value".to_vec());
    if let Ok(secret) = Secret::parse(text, variable) {
        assert!(!secret.id.is_empty(), "{text:?}");
    }
    let _ = SshAgent::parse_all(&[text], Some("/agent"));
}

/// Reads caches to import and to export. Neither the text of a cache nor that of an error has a value that
/// can be secret.
pub fn caches(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for caches in [Cache::imports(text), Cache::exports(text)] {
        for cache in caches.unwrap_or_default() {
            let secret = cache.option("secret_access_key").unwrap_or_default();
            // A short value may be a part of something else.
            let is_told = secret.len() > 8 && format!("{cache:?}").contains(secret);
            let is_elsewhere = text.matches(secret).count() > 1;
            assert!(!is_told || is_elsewhere, "{text:?}");
        }
    }
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

/// Merges an archive of a node with itself: as an image, and as files.
pub fn parts(data: &[u8]) {
    let Ok(file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if std::fs::write(file.path(), data).is_err() {
        return;
    }
    let parts = [file.path().to_owned(), file.path().to_owned()];
    merge::try_parts(&parts, &mut std::io::sink());
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
    fn secrets() {
        seeds::run("secrets", 300, super::secrets);
    }

    #[test]
    fn caches() {
        seeds::run("caches", 300, super::caches);
    }

    #[test]
    fn archives() {
        seeds::run("archives", 300, super::archives);
    }

    #[test]
    fn parts() {
        seeds::run("parts", 100, super::parts);
    }
}
