//! The caches of a build, with the credentials that the environment has for them. `github` and `aws` find
//! them as docker buildx does.

mod aws;
mod github;

use iechor_build::spec::{Cache, CacheKind, CacheProblem, SpecError};
use iechor_build::{BuildSpec, Mistakes, Setting};

use super::faults::errors;

/// Returns the caches of `--cache-from`. `environment` returns the value of a variable. Notes
/// the texts that are not caches.
pub(super) fn imports(
    texts: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Vec<Cache> {
    let mut note = |cache| mistakes.note_all(Setting::CacheFrom, cache);
    read(texts, Cache::imports, environment, &mut note)
}

/// Returns the caches of `--cache-to`. `environment` returns the value of a variable. Notes
/// the texts that are not caches.
pub(super) fn exports(
    texts: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Vec<Cache> {
    let mut note = |cache| mistakes.note_all(Setting::CacheTo, cache);
    read(texts, Cache::exports, environment, &mut note)
}

/// Replaces the caches of a build by those of texts that were checked, with all their credentials. Returns a warning
/// about caches that stay without credentials.
pub fn complete(
    spec: &mut BuildSpec,
    from: &[String],
    to: &[String],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut checked = Mistakes::default();
    spec.cache_from = imports(from, environment, &mut checked);
    spec.cache_to = exports(to, environment, &mut checked);
    complete_credentials(spec, environment)
}

/// Adds the credentials that take time to find to the caches of a build that starts. Returns a warning about caches
/// that stay without credentials.
pub(super) fn complete_credentials(
    spec: &mut BuildSpec,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let caches = spec.cache_from.iter_mut().chain(&mut spec.cache_to);
    let in_s3 = caches.filter(|cache| cache.kind == CacheKind::S3);
    let mut in_s3: Vec<_> = in_s3.map(|cache| &mut cache.attributes).collect();
    aws::complete_from_process(&mut in_s3, environment)
}

fn read(
    texts: &[String],
    parse: fn(&str) -> Result<Vec<Cache>, Vec<CacheProblem>>,
    environment: &dyn Fn(&str) -> Option<String>,
    note: &mut dyn FnMut(Result<Vec<Cache>, Vec<SpecError>>) -> Option<Vec<Cache>>,
) -> Vec<Cache> {
    let mut caches: Vec<Cache> = Vec::new();
    for text in texts {
        let parsed = note(parse(text).map_err(errors));
        for mut cache in parsed.into_iter().flatten() {
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
    caches
}

#[cfg(test)]
mod tests {
    use iechor_build::spec::Attributes;

    /// Returns the options of a cache after `complete` added those of an environment.
    pub(super) fn completed(
        complete: fn(&mut Attributes, &dyn Fn(&str) -> Option<String>),
        given: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Vec<String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut attributes: Attributes = given.iter().map(owned).collect();
        complete(&mut attributes, &|name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let pairs = attributes.iter();
        pairs.map(|(key, value)| format!("{key}={value}")).collect()
    }
}
