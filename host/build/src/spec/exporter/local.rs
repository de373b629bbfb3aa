//! `type=local`: the files of the result, in a directory.

use std::path::PathBuf;

use super::fields::Fields;
use crate::spec::error::OutputProblem;
use crate::spec::value::Attributes;

/// An exporter that writes the files of the result into a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The directory.
    pub directory: PathBuf,
    /// What happens to other files in the directory.
    pub mode: LocalMode,
    /// Other options.
    pub attributes: Attributes,
}

/// What happens to files of a directory that are not in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalMode {
    /// They stay.
    #[default]
    Copy,
    /// They are removed.
    Delete,
}

impl Local {
    pub(super) fn read(fields: &mut Fields) -> Self {
        let given = fields.take("mode").unwrap_or_default();
        let mode = match given.trim().to_ascii_lowercase().as_str() {
            "" | "copy" => LocalMode::Copy,
            "delete" => LocalMode::Delete,
            _ => {
                fields.note(OutputProblem::LocalMode { mode: given });
                LocalMode::Copy
            }
        };
        Self {
            directory: fields.take_directory("local"),
            mode,
            attributes: fields.rest(),
        }
    }
}
