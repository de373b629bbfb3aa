//! The caches of a build: what BuildKit is told about them, and the directories on the client.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use iechor_registry::{Digest, Layout};

use super::Warning;
use crate::spec::parse::boolean;
use crate::spec::{BuildSpec, Cache, CacheKind};

/// The build argument that adds the cache to the exported image.
const INLINE_CACHE: &str = "BUILDKIT_INLINE_CACHE";

/// The tag of a local cache without a tag.
const LATEST: &str = "latest";

/// The caches of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caches {
    /// The caches that BuildKit reads.
    pub imports: Vec<Cache>,
    /// The caches that BuildKit writes.
    pub exports: Vec<Cache>,
    /// The directories with local caches, by the names under which BuildKit calls them.
    pub directories: BTreeMap<String, Directory>,
}

/// A directory with a local cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The directory.
    pub path: PathBuf,
    /// The changes after the build; `None` if the cache is only read.
    pub export: Option<Update>,
}

/// The changes of a local cache after a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The tag of the new cache.
    pub tag: String,
    /// Whether blobs that no cache in the directory needs are removed.
    pub reset: bool,
}

/// The reason why a local cache is not imported. The build continues without it.
// docker buildx prints the same texts, except for causes from the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalCacheProblem {
    /// The directory or its index cannot be read.
    NotFound {
        /// The cause.
        reason: String,
    },
    /// The index has no cache with the tag.
    NoTag {
        /// The tag.
        tag: String,
    },
    /// The directory does not have the blob with the digest.
    Unavailable {
        /// The digest.
        digest: String,
    },
}

impl fmt::Display for LocalCacheProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { reason } => write!(formatter, "not found due to err: {reason}"),
            Self::NoTag { tag } => {
                write!(formatter, "skipped: no digest found for tag {tag}")
            }
            Self::Unavailable { digest } => {
                write!(formatter, "skipped: digest {digest} unavailable: not found")
            }
        }
    }
}

impl Caches {
    /// Finds the local caches of a build. Leaves out the caches that cannot be used, with a warning for each.
    pub(super) fn find(spec: &BuildSpec, warnings: &mut Vec<Warning>) -> Self {
        let mut caches = Self::default();
        for cache in &spec.cache_from {
            match cache.kind {
                _ if !is_usable(cache, warnings) => {}
                CacheKind::Local => match caches.import(cache) {
                    Ok(cache) => caches.imports.push(cache),
                    Err(problem) => warnings.push(Warning::LocalCache {
                        directory: cache.option("src").unwrap_or_default().to_owned(),
                        problem,
                    }),
                },
                _ => caches.imports.push(cache.clone()),
            }
        }
        let inline = spec.build_args.get(INLINE_CACHE);
        let inline = inline.is_some_and(|value| boolean(value) == Some(true));
        let inline = inline.then(Cache::inline);
        let exports = spec.cache_to.iter().cloned().chain(inline);
        for cache in exports.filter(|cache| is_usable(cache, warnings)) {
            let cache = match cache.kind {
                CacheKind::Local => caches.export(cache),
                _ => cache,
            };
            caches.exports.push(cache);
        }
        caches
    }

    /// Returns whether the cache is exported by a driver with the feature for it.
    pub(super) fn needs_cache_export(spec: &BuildSpec) -> bool {
        let mut caches = spec.cache_to.iter();
        caches.any(|cache| cache.kind != CacheKind::Inline)
    }

    /// Finds a local cache to import.
    fn import(&mut self, cache: &Cache) -> Result<Cache, LocalCacheProblem> {
        let source = cache.option("src").unwrap_or_default();
        let path = PathBuf::from(source);
        let layout = Layout::new(&path);
        let digest = match cache.option("digest") {
            Some(digest) => digest.to_owned(),
            None => {
                let not_found = |reason| LocalCacheProblem::NotFound { reason };
                let tag = cache.option("tag").unwrap_or(LATEST);
                let found = layout
                    .find(tag)
                    .map_err(|error| not_found(error.to_string()))?;
                let entry = found.ok_or_else(|| LocalCacheProblem::NoTag {
                    tag: tag.to_owned(),
                })?;
                entry.digest().map_err(not_found)?.to_string()
            }
        };
        if !has_blob(&layout, &digest) {
            return Err(LocalCacheProblem::Unavailable { digest });
        }
        let mut cache = cache.clone();
        let name = name_for_daemon(source);
        cache.attributes.insert("src".into(), name.clone());
        cache.attributes.insert("digest".into(), digest);
        let directory = Directory { path, export: None };
        self.directories.entry(store_id(&name)).or_insert(directory);
        Ok(cache)
    }

    /// Adds a local cache to export.
    fn export(&mut self, mut cache: Cache) -> Cache {
        let destination = cache.option("dest").unwrap_or_default().to_owned();
        let tag = cache.attributes.get("tag").map_or(LATEST, String::as_str);
        let reset = cache.attributes.get("reset");
        let directory = Directory {
            path: PathBuf::from(&destination),
            export: Some(Update {
                tag: tag.to_owned(),
                reset: reset.is_some_and(|reset| boolean(reset) == Some(true)),
            }),
        };
        let name = name_for_daemon(&destination);
        self.directories.insert(store_id(&name), directory);
        cache.attributes.insert("dest".into(), name);
        cache
    }
}

/// Returns whether BuildKit can use a cache. Without its credentials, the cache of GitHub Actions is left out:
/// a workflow builds on other machines as well.
fn is_usable(cache: &Cache, warnings: &mut Vec<Warning>) -> bool {
    if cache.kind != CacheKind::Gha {
        return true;
    }
    let has_token = cache.option("token").is_some();
    let has_url = cache.option("url").or(cache.option("url_v2")).is_some();
    if !has_token || !has_url {
        let warning = Warning::GhaCache { has_token, has_url };
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    has_token && has_url
}

fn has_blob(layout: &Layout, digest: &str) -> bool {
    digest
        .parse::<Digest>()
        .is_ok_and(|digest| layout.blob_path(&digest).is_file())
}

/// Returns the name of a directory for the daemon. The daemon repeats it in a header, which can only hold
/// printable ASCII, so other characters are escaped.
fn name_for_daemon(directory: &str) -> String {
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte);
    if directory.as_bytes().iter().all(is_plain) {
        return directory.to_owned();
    }
    let mut name = String::new();
    for byte in directory.bytes() {
        match byte {
            b'%' => name.push_str("%25"),
            byte if is_plain(&byte) => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

fn store_id(name: &str) -> String {
    format!("local:{name}")
}

#[cfg(test)]
mod tests;
