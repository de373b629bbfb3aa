//! The caches of a build, with the credentials that the environment has for them. `github` and `aws` find
//! them as docker buildx does.

mod aws;
mod github;

use iechor_build::spec::{Cache, CacheKind, SpecError};

/// Returns the caches of `--cache-from`. `environment` returns the value of a variable.
///
/// # Errors
///
/// Returns the first text that is not a cache.
pub(super) fn imports(
    texts: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Cache>, SpecError> {
    complete(texts, Cache::imports, environment)
}

/// Returns the caches of `--cache-to`. `environment` returns the value of a variable.
///
/// # Errors
///
/// Returns the first text that is not a cache.
pub(super) fn exports(
    texts: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Cache>, SpecError> {
    complete(texts, Cache::exports, environment)
}

fn complete<E>(
    texts: &[String],
    parse: fn(&str) -> Result<Vec<Cache>, E>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Cache>, SpecError>
where
    SpecError: From<E>,
{
    let mut caches: Vec<Cache> = Vec::new();
    for text in texts {
        for mut cache in parse(text)? {
            match cache.kind {
                CacheKind::Gha => github::complete(&mut cache.attributes, environment),
                CacheKind::S3 => aws::complete(&mut cache.attributes, environment),
                _ => {}
            }
            // docker buildx leaves duplicates out as well.
            if !caches.contains(&cache) {
                caches.push(cache);
            }
        }
    }
    Ok(caches)
}
