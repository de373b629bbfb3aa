//! Images of the engine, and of the registry that it pulls from.

use std::collections::BTreeMap;

use iechor_values::hex;
use iechor_values::image::Reference;
use sha2::{Digest, Sha256};

use super::State;
use crate::error::{EngineError, ObjectKind};
use crate::model::{Image, Platform, PullEvent, Startup};

/// Returns an image for `linux/amd64` without labels.
pub(in crate::simulated) fn plain_image(reference: &str) -> Image {
    Image {
        id: format!("sha256:{}", hex::encode(&Sha256::digest(reference))),
        repo_digests: Vec::new(),
        platform: Platform::new("linux", "amd64", ""),
        labels: BTreeMap::new(),
        startup: Startup {
            entrypoint: vec!["buildkitd".into()],
            env: vec!["PATH=/usr/bin:/bin".into()],
            ..Startup::default()
        },
    }
}

impl State {
    pub(in crate::simulated) fn image(&self, reference: &str) -> Option<(&str, &Image)> {
        let name = Reference::parse(reference).canonical();
        if let Some((name, image)) = self.images.get_key_value(&name) {
            return Some((name, image));
        }
        let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
        let by_id = |image: &Image| {
            let id = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
            digits.len() >= 12 && id.starts_with(digits)
        };
        self.images
            .iter()
            .find(|(_, image)| by_id(image) || image.repo_digests.iter().any(|d| d == reference))
            .map(|(name, image)| (name.as_str(), image))
    }

    pub(in crate::simulated) fn push(&mut self, reference: &str) -> Result<Image, EngineError> {
        let Some((_, image)) = self.image(reference) else {
            return Err(EngineError::NotFound {
                kind: ObjectKind::Image,
                name: reference.to_owned(),
            });
        };
        let image = image.clone();
        let parsed = Reference::parse(reference);
        self.registry.insert(parsed.canonical(), image.clone());
        Ok(image)
    }

    pub(in crate::simulated) fn pull(
        &mut self,
        reference: &str,
    ) -> Result<Vec<PullEvent>, EngineError> {
        let parsed = Reference::parse(reference);
        let known = self.registry.get(&parsed.canonical()).cloned();
        let Some(image) = known.or_else(|| self.open_registry.then(|| plain_image(reference)))
        else {
            return Err(EngineError::Refused {
                status: 404,
                message: format!(
                    "cannot pull {reference}: pull access denied for {}, repository does not \
                     exist or may require 'docker login' (check the name, or log in with `docker \
                     login {}`)",
                    parsed.name, parsed.registry
                ),
            });
        };
        let event = |id: &str, status: String| PullEvent {
            id: id.into(),
            status,
            current: 0,
            total: None,
        };
        let events = vec![
            event(parsed.version, format!("Pulling from {}", parsed.name)),
            event("", format!("Digest: {}", image.id)),
            event(
                "",
                format!("Status: Downloaded newer image for {reference}"),
            ),
        ];
        self.images.insert(parsed.canonical(), image);
        Ok(events)
    }
}
