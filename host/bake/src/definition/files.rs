//! Files of a definition: their format, and the order in which they are merged.

use super::resolver::{self, Parsed};
use super::{BakeError, Definition, Input};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Body, Sources, json, native};

/// The files that are read if none are named, in the order in which they are merged.
pub const DEFAULT_NAMES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// A file of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name, as the user gave it; `-` for standard input.
    pub name: String,
    /// The contents.
    pub text: String,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Hcl,
    Json,
    Compose,
    /// HCL, or else JSON.
    Any,
}

impl File {
    fn format(&self) -> Format {
        let name = self.name.to_lowercase();
        if name.ends_with(".yml") || name.ends_with(".yaml") {
            Format::Compose
        } else if self.name.ends_with(".json") {
            Format::Json
        } else if self.name.ends_with(".hcl") {
            Format::Hcl
        } else {
            Format::Any
        }
    }

    /// Returns whether this is a compose file.
    pub fn is_compose(&self) -> bool {
        self.format() == Format::Compose
    }
}

/// Reads and evaluates files.
pub(super) fn read(input: &Input<'_>) -> Result<Definition, BakeError> {
    let files: Vec<&File> = input
        .files
        .iter()
        .filter(|file| !file.text.is_empty())
        .collect();
    if files.is_empty() {
        return Err(BakeError::NoDefinition);
    }
    let mut sources = Sources::default();
    let mut bodies = Vec::new();
    for file in files {
        let source = sources.add(&file.name, &file.text);
        let parsed = match file.format() {
            Format::Compose => {
                let file = file.name.clone();
                return Err(BakeError::Compose { file });
            }
            Format::Hcl => native::file(source, &file.text),
            Format::Json => json::file(source, &file.text),
            Format::Any => any(source, &file.text),
        };
        bodies.push(parsed.map_err(|fault| BakeError::from(fault.located(&sources)))?);
    }
    let parsed = Parsed {
        bodies: &bodies,
        sources: &sources,
    };
    resolver::evaluate(input, &parsed).map_err(|fault| fault.located(&sources).into())
}

/// Reads a text whose format is not known.
fn any(source: u32, text: &str) -> Result<Body, Diagnostic> {
    let fault = match native::file(source, text) {
        Ok(body) => return Ok(body),
        Err(fault) => fault,
    };
    // A text that begins like JSON has a fault of JSON.
    let is_json = text.trim_start().starts_with(['{', '[']);
    json::file(source, text).map_err(|other| if is_json { other } else { fault })
}
