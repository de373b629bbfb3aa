//! `type=docker`: the image, loaded into the engine or in an archive for it.

use super::Destination;
use super::fields::Fields;
use crate::spec::value::Attributes;

/// An exporter that loads the image into the engine, or writes it into an archive for `docker load`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Docker {
    /// Destination; `None` for the engine.
    pub destination: Option<Destination>,
    /// Name of the Docker context whose engine loads the image; `None` for the current one.
    pub context: Option<String>,
    /// Names of the image. The tags of the build replace them.
    pub names: Vec<String>,
    /// Other options.
    pub attributes: Attributes,
}

impl Docker {
    pub(super) fn read(fields: &mut Fields) -> Self {
        Self {
            destination: match fields.take_layout("docker") {
                Some(directory) => Some(directory),
                None => fields.take_docker_archive(),
            },
            context: fields.take("context").filter(|name| !name.is_empty()),
            names: fields.take_names(),
            attributes: fields.rest(),
        }
    }
}
