//! `type=tar`: the files of the result, in a tar archive.

use super::Destination;
use super::fields::Fields;
use crate::spec::value::Attributes;

/// An exporter that writes the files of the result into a tar archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tar {
    /// Destination.
    pub destination: Destination,
    /// Other options.
    pub attributes: Attributes,
}

impl Tar {
    pub(super) fn read(fields: &mut Fields) -> Self {
        fields.check_tar("tar");
        Self {
            destination: fields.take_archive(),
            attributes: fields.rest(),
        }
    }
}
