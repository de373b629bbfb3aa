//! What a node can do, according to its driver.

use iechor_sandbox::contract::Feature;

use super::error::{Ability, PlanError};
use crate::spec::Exporter;

/// The feature of a driver whose images go to the engine's own, by the exporter `moby`.
const MOBY_EXPORTER: &str = "moby-exporter";

/// What a node can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// The name of the driver, for errors.
    pub driver: String,
    /// Writes archives with an OCI layout.
    pub oci_exporter: bool,
    /// Writes archives for `docker load`.
    pub docker_exporter: bool,
    /// Puts several platforms into one image.
    pub multi_platform: bool,
    /// Pushes without the engine.
    pub direct_push: bool,
    /// Has results loaded into the engine where there is no other output.
    pub default_load: bool,
    /// Builds into the images of the engine, with the exporter `moby`.
    pub moby_exporter: bool,
}

impl Abilities {
    /// Makes the abilities of a driver with these features.
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
                Feature::CacheExport | Feature::PreferImageDigest | Feature::Other(_) => {}
            }
        }
        abilities
    }

    /// Checks that the node can do this.
    ///
    /// # Errors
    ///
    /// What it cannot do.
    pub(super) fn check(&self, exporters: &[Exporter], platforms: usize) -> Result<(), PlanError> {
        for exporter in exporters {
            if let Some(ability) = self.lacking(exporter) {
                return Err(self.not_supported(ability));
            }
        }
        if platforms > 1 && !self.multi_platform {
            return Err(self.not_supported(Ability::MultiPlatform));
        }
        Ok(())
    }

    fn lacking(&self, exporter: &Exporter) -> Option<Ability> {
        let is_missing = match exporter {
            Exporter::Oci(_) => !self.oci_exporter,
            // An engine that builds itself has its own way to get an image.
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
