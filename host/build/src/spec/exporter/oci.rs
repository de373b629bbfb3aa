//! `type=oci`: the image, in an archive or a directory with an OCI layout.

use super::Destination;
use super::fields::Fields;
use crate::spec::value::Attributes;

/// An exporter that writes the image into an archive or a directory with an OCI layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oci {
    /// Destination.
    pub destination: Destination,
    /// Names of the image. The tags of the build replace them.
    pub names: Vec<String>,
    /// Other options.
    pub attributes: Attributes,
}

impl Oci {
    pub(super) fn read(fields: &mut Fields) -> Self {
        Self {
            destination: match fields.take_layout("oci") {
                Some(directory) => directory,
                None => fields.take_archive(),
            },
            names: fields.take_names(),
            attributes: fields.rest(),
        }
    }
}
