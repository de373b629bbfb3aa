//! Images that the engine has.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::address::segments;
use super::client::DockerEngine;
use super::startup::InspectedStartup;
use crate::model::{Image, Platform};
use crate::{EngineError, ObjectKind};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Seen {
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    startup: InspectedStartup,
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    reference: &str,
) -> Result<Option<Image>, EngineError> {
    let about = &[(ObjectKind::Image, reference)];
    let found: Option<Seen> = engine.find(&path(reference), about).await?;
    Ok(found.map(|seen| {
        let config = seen.config.unwrap_or_default();
        Image {
            id: seen.id,
            repo_digests: seen.repo_digests.unwrap_or_default(),
            platform: Platform {
                os: seen.os,
                architecture: seen.architecture,
                variant: seen.variant.unwrap_or_default(),
                ..Platform::default()
            },
            labels: config.labels.unwrap_or_default(),
            startup: config.startup.read(),
        }
    }))
}

/// Returns the path of an image.
pub(super) fn path(reference: &str) -> String {
    format!("/images/{}/json", segments(reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(path("a/../b"), "/images/%20/json");
        assert_eq!(path("a/b:c@sha256:d"), "/images/a/b:c@sha256:d/json");
        assert_eq!(path("a?b"), "/images/a%3Fb/json");
    }
}
