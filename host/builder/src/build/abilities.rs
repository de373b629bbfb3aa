//! What the BuildKit of a builder can do, as its driver says.

use iechor_sandbox::contract::Feature;

use crate::build::output::{Destination, Output};
use crate::error::BuilderError;

/// The feature of a driver whose images go to the engine's own, by the exporter `moby`.
const MOBY_EXPORTER: &str = "moby-exporter";

/// What a build may ask of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abilities {
    /// The name of the driver, for messages.
    pub driver: String,
    /// Archives as OCI has them.
    pub oci_exporter: bool,
    /// Archives for `docker load`.
    pub docker_exporter: bool,
    /// Several platforms in one image.
    pub multi_platform: bool,
    /// BuildKit pushes by itself.
    pub direct_push: bool,
    /// Results are loaded into the engine where the user wants nothing else.
    pub default_load: bool,
    /// Images go to the engine's own, with the exporter `moby`.
    pub moby_exporter: bool,
}

impl Abilities {
    /// Those of a node of that driver.
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

    /// Refuses what the node cannot do, before it is asked to.
    pub(super) fn check(&self, outputs: &[Output], platforms: usize) -> Result<(), BuilderError> {
        let lacking = |output: &&Output| match output.kind.as_str() {
            "oci" => !self.oci_exporter,
            // Into the engine there is another way where it builds itself.
            "docker" if output.destination == Destination::Engine => {
                !self.docker_exporter && !self.moby_exporter
            }
            "docker" => !self.docker_exporter,
            _ => false,
        };
        if let Some(output) = outputs.iter().find(lacking) {
            let name = if output.kind == "oci" {
                "OCI"
            } else {
                "Docker"
            };
            return Err(self.not_supported(&format!("{name} exporter")));
        }
        if platforms > 1 && !self.multi_platform {
            return Err(self.not_supported("Multi-platform build"));
        }
        Ok(())
    }

    fn not_supported(&self, what: &str) -> BuilderError {
        let driver = &self.driver;
        BuilderError::Usage(if self.moby_exporter {
            format!(
                "{what} is not supported for the {driver} driver: it builds into the engine's own \
                 images.\nCreate a builder with a BuildKit of its own (`iechor buildx create \
                 --use`), or turn on the engine's containerd image store, and try again"
            )
        } else {
            format!(
                "{what} is not supported for the {driver} driver.\nSwitch to a different driver \
                 (`iechor buildx create --driver`), and try again"
            )
        })
    }
}
