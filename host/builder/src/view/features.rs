//! What a driver supports, by the names that docker buildx shows.

use std::collections::BTreeMap;
use std::mem::discriminant;

use iechor_sandbox::contract::Feature;

/// The features that every driver has or lacks, with the names of docker buildx.
const NAMES: [(&str, Feature); 6] = [
    (
        "Automatically load images to the Docker Engine image store",
        Feature::DefaultLoad,
    ),
    ("Cache export", Feature::CacheExport),
    ("Direct push", Feature::DirectPush),
    ("Docker exporter", Feature::DockerExporter),
    ("Multi-platform build", Feature::MultiPlatform),
    ("OCI exporter", Feature::OciExporter),
];

/// Returns which features a driver has. `Prefer image digest` is shown only where it applies, as by docker
/// buildx, and so are features that only the driver knows.
pub(super) fn table(features: &[Feature]) -> BTreeMap<String, bool> {
    let has = |wanted: &Feature| {
        let mut kinds = features.iter().map(discriminant);
        kinds.any(|kind| kind == discriminant(wanted))
    };
    let known = NAMES
        .iter()
        .map(|(name, feature)| ((*name).to_owned(), has(feature)));
    let other = features.iter().filter_map(|feature| match feature {
        Feature::PreferImageDigest => Some(("Prefer image digest".to_owned(), true)),
        Feature::Other(name) => Some((name.clone(), true)),
        _ => None,
    });
    match features {
        [] => BTreeMap::new(),
        _ => known.chain(other).collect(),
    }
}
