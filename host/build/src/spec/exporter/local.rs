//! `type=local`: the files of the result, in a directory.

use std::path::PathBuf;

use super::fields::Fields;
use crate::spec::error::OutputProblem;
use crate::spec::value::Attributes;

/// An exporter that writes the files of the result into a directory. Existing files stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The directory.
    pub directory: PathBuf,
    /// Other options.
    pub attributes: Attributes,
}

impl Local {
    pub(super) fn read(mut fields: Fields) -> Result<Self, OutputProblem> {
        Ok(Self {
            directory: fields.take_directory("local")?,
            attributes: fields.rest(),
        })
    }
}
