//! Abilities of a node, according to its driver.

use iechor_sandbox::contract::Feature;

use super::caches::Caches;
use super::error::{Ability, PlanError};
use crate::spec::{BuildSpec, Exporter};

/// The feature of a driver that builds into the engine's image store with the exporter `moby`.
const MOBY_EXPORTER: &str = "moby-exporter";

/// The abilities of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// Name of the driver, for errors.
    pub driver: String,
    /// Whether the node writes archives with an OCI layout.
    pub oci_exporter: bool,
    /// Whether the node writes archives for `docker load`.
    pub docker_exporter: bool,
    /// Whether the node exports caches other than inline ones.
    pub cache_export: bool,
    /// Whether the node builds images with several platforms.
    pub multi_platform: bool,
    /// Whether the node pushes without the engine.
    pub direct_push: bool,
    /// Whether the driver loads results into the engine if there is no other output.
    pub default_load: bool,
    /// Whether the node builds into the engine's image store, with the exporter `moby`.
    pub moby_exporter: bool,
}

impl Abilities {
    /// Returns the abilities of a driver with the given features.
    pub fn new(driver: &str, features: &[Feature]) -> Self {
        let mut abilities = Self {
            driver: driver.to_owned(),
            ..Self::default()
        };
        for feature in features {
            match feature {
                Feature::OciExporter => abilities.oci_exporter = true,
                Feature::DockerExporter => abilities.docker_exporter = true,
                Feature::MultiPlatform => abilities.multi_platform = true,
                Feature::DirectPush => abilities.direct_push = true,
                Feature::DefaultLoad => abilities.default_load = true,
                Feature::Other(name) if name == MOBY_EXPORTER => abilities.moby_exporter = true,
                Feature::CacheExport => abilities.cache_export = true,
                Feature::PreferImageDigest | Feature::Other(_) => {}
            }
        }
        abilities
    }

    /// Checks that the node supports the exporters, the number of platforms, the attestations and the
    /// annotations.
    ///
    /// # Errors
    ///
    /// Returns the first missing ability.
    pub(super) fn check(
        &self,
        exporters: &[Exporter],
        platforms: usize,
        spec: &BuildSpec,
    ) -> Result<(), PlanError> {
        for exporter in exporters {
            if let Some(ability) = self.lacking(exporter) {
                return Err(self.not_supported(ability));
            }
        }
        if platforms > 1 && !self.multi_platform {
            return Err(self.not_supported(Ability::MultiPlatform));
        }
        if spec.attestations.is_any() && !self.multi_platform {
            return Err(self.not_supported(Ability::Attestation));
        }
        let mut annotations = spec.annotations.iter();
        if self.moby_exporter
            && !self.multi_platform
            && exporters.iter().any(Exporter::is_image)
            && annotations.any(|annotation| annotation.level.is_of_index())
        {
            return Err(PlanError::IndexAnnotation);
        }
        Ok(())
    }

    /// Checks that the node supports the exports of caches.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not.
    pub(super) fn check_caches(&self, spec: &BuildSpec) -> Result<(), PlanError> {
        match Caches::needs_cache_export(spec) && !self.cache_export {
            true => Err(self.not_supported(Ability::CacheExport)),
            false => Ok(()),
        }
    }

    fn lacking(&self, exporter: &Exporter) -> Option<Ability> {
        let is_missing = match exporter {
            Exporter::Oci(_) => !self.oci_exporter,
            // An engine that builds by itself needs no archive to load an image.
            Exporter::Docker(docker) if docker.destination.is_none() => {
                !self.docker_exporter && !self.moby_exporter
            }
            Exporter::Docker(_) => !self.docker_exporter,
            Exporter::Image(image) => self.moby_exporter && image.push_by_digest,
            Exporter::Local(_) | Exporter::Tar(_) | Exporter::CacheOnly => false,
        };
        is_missing.then_some(match exporter {
            Exporter::Oci(_) => Ability::Oci,
            Exporter::Image(_) => Ability::PushByDigest,
            _ => Ability::Docker,
        })
    }

    fn not_supported(&self, ability: Ability) -> PlanError {
        PlanError::Unsupported {
            ability,
            driver: self.driver.clone(),
            builds_into_engine: self.moby_exporter,
        }
    }
}
