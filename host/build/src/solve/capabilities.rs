//! What a daemon supports, and what a build does without it.

use iechor_buildkit::{CacheEntry, Capabilities, Client, Error, SolveRequest, Worker};

/// Several exporters in one build.
const SEVERAL_OUTPUTS: &str = "exporter.multiple";

/// Attestations of images.
const ATTESTATIONS: &str = "exporter.image.attestations";

/// The types of caches that are left out if the daemon lacks them, with their capabilities. docker buildx
/// leaves out the same.
const CACHES: [(&str, &str); 2] = [("gha", "cache.gha"), ("s3", "cache.s3")];

/// Returns whether the daemon supports several exporters. Others use the first one and ignore the rest.
///
/// # Errors
///
/// Returns an error if the daemon does not answer.
pub(super) async fn has_several_outputs(client: &Client) -> Result<bool, Error> {
    Ok(client.capabilities().await?.llb(SEVERAL_OUTPUTS))
}

/// Returns whether the daemon supports attestations. A daemon that does not report its version with its workers is
/// older than v0.11, which introduced both, and is not asked.
///
/// # Errors
///
/// Returns an error if the daemon does not answer.
pub(super) async fn has_attestations(client: &Client, workers: &[Worker]) -> Result<bool, Error> {
    if workers.iter().all(|worker| worker.version.is_none()) {
        return Ok(false);
    }
    Ok(client.capabilities().await?.llb(ATTESTATIONS))
}

/// Removes the caches that the daemon does not support from a request. Returns a warning for each type.
///
/// # Errors
///
/// Returns an error if the daemon does not answer.
pub(super) async fn leave_out_caches(
    client: &Client,
    node: &str,
    request: &mut SolveRequest,
) -> Result<Vec<String>, Error> {
    let mut entries = request.cache_imports.iter().chain(&request.cache_exports);
    match entries.any(|entry| capability_of(entry).is_some()) {
        true => Ok(without_unsupported(
            client.capabilities().await?,
            node,
            request,
        )),
        false => Ok(Vec::new()),
    }
}

fn capability_of(entry: &CacheEntry) -> Option<&'static str> {
    let known = CACHES.iter().find(|(kind, _)| *kind == entry.kind);
    known.map(|(_, capability)| *capability)
}

fn without_unsupported(
    capabilities: &Capabilities,
    node: &str,
    request: &mut SolveRequest,
) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let mut keep = |entry: &CacheEntry| {
        let is_supported = capability_of(entry).is_none_or(|id| capabilities.llb(id));
        if !is_supported && !kinds.contains(&entry.kind) {
            kinds.push(entry.kind.clone());
        }
        is_supported
    };
    request.cache_imports.retain(&mut keep);
    request.cache_exports.retain(&mut keep);
    let warning = |kind: String| {
        format!("The cache type={kind} is not used: BuildKit of node {node} does not support it")
    };
    kinds.into_iter().map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_the_daemon_lacks_are_left_out_with_a_warning() {
        let entry = |kind: &str| CacheEntry {
            kind: kind.into(),
            ..CacheEntry::default()
        };
        let mut request = SolveRequest {
            cache_imports: ["gha", "registry", "s3"].map(entry).into(),
            cache_exports: ["s3", "inline"].map(entry).into(),
            ..SolveRequest::default()
        };
        let warnings = without_unsupported(&Capabilities::default(), "n0", &mut request);
        let kinds: Vec<_> = request
            .cache_imports
            .iter()
            .chain(&request.cache_exports)
            .map(|entry| entry.kind.as_str())
            .collect();
        assert_eq!(kinds, ["registry", "inline"]);
        assert_eq!(
            warnings,
            [
                "The cache type=gha is not used: BuildKit of node n0 does not support it",
                "The cache type=s3 is not used: BuildKit of node n0 does not support it",
            ]
        );
    }
}
