//! Unparsed options of an exporter.

use std::path::PathBuf;

use super::{Destination, Exporter, TYPES};
use crate::spec::error::OutputProblem;
use crate::spec::faults::Faults;
use crate::spec::value::{Attributes, boolean};

/// Unparsed options of an exporter.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    kind: Option<String>,
    destination: Option<String>,
    attributes: Attributes,
    faults: Faults<OutputProblem>,
}

impl Fields {
    /// Returns the options of an output that is only a destination: `-` is a tar archive on standard output,
    /// any other text is a directory.
    pub fn of_place(place: &str) -> Self {
        Self {
            kind: Some(if place == "-" { "tar" } else { "local" }.to_owned()),
            destination: Some(place.to_owned()),
            ..Self::default()
        }
    }

    /// Parses options of the form `KEY=VALUE`. Notes the fields that have another form.
    pub fn of_pairs(pairs: &[String]) -> Self {
        let mut fields = Self::default();
        for pair in pairs {
            let Some((key, value)) = pair.split_once('=') else {
                fields.note(OutputProblem::NoValue {
                    field: pair.clone(),
                });
                continue;
            };
            let value = value.to_owned();
            match key.trim().to_ascii_lowercase() {
                key if key == "type" => fields.kind = Some(value),
                key if key == "dest" => fields.destination = Some(value),
                key => drop(fields.attributes.insert(key, value)),
            }
        }
        fields
    }

    /// Parses the options according to their type.
    ///
    /// # Errors
    ///
    /// Returns all faults of the output.
    pub fn read(mut self) -> Result<Exporter, Vec<OutputProblem>> {
        let kind = self.kind.take();
        let known = TYPES
            .iter()
            .find(|(name, _)| Some(*name) == kind.as_deref());
        let exporter = match (known, kind) {
            (Some((_, read)), _) => read(&mut self),
            (None, kind) => {
                match kind {
                    Some(kind) => self.note(OutputProblem::UnknownType { kind }),
                    None => self.note_missing(OutputProblem::NoType),
                }
                // A placeholder, which the fault replaces.
                Exporter::CacheOnly
            }
        };
        self.faults.check(exporter)
    }

    /// Notes a fault.
    pub(super) fn note(&mut self, fault: OutputProblem) {
        self.faults.note(fault);
    }

    /// Notes that a field is missing, unless it may be one of those that are not `KEY=VALUE`.
    fn note_missing(&mut self, fault: OutputProblem) {
        let is_unread = |fault: &OutputProblem| matches!(fault, OutputProblem::NoValue { .. });
        if !self.faults.has(is_unread) {
            self.note(fault);
        }
    }

    /// Removes and returns the directory that the exporter `kind` requires. Notes a fault, and returns an
    /// empty path, if there is none.
    pub(super) fn take_directory(&mut self, kind: &'static str) -> PathBuf {
        match self.destination.take().as_deref() {
            None | Some("") => self.note_missing(OutputProblem::NoDestination { kind }),
            Some("-") => self.note(OutputProblem::ToStdout { kind }),
            Some(path) => return path.into(),
        }
        PathBuf::new()
    }

    /// Removes and returns the destination of an archive: standard output unless there is one.
    pub(super) fn take_archive(&mut self) -> Destination {
        let given = self.take_docker_archive();
        given.unwrap_or(Destination::Stdout)
    }

    /// Removes and returns the destination of an archive for `docker load`, if there is one.
    pub(super) fn take_docker_archive(&mut self) -> Option<Destination> {
        match self.destination.take()?.as_str() {
            "" => None,
            "-" => Some(Destination::Stdout),
            path => Some(Destination::File(path.into())),
        }
    }

    /// Removes and returns an option.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        self.attributes.remove(key)
    }

    /// Removes and returns the directory for the content of an archive, if there is to be no archive
    /// (`tar=false`). As in docker buildx, a value that is not a boolean counts as true. The option stays,
    /// because BuildKit needs it.
    pub(super) fn take_layout(&mut self, kind: &'static str) -> Option<Destination> {
        self.has_no_archive()
            .then(|| Destination::Directory(self.take_directory(kind)))
    }

    /// Notes a fault if a directory is requested instead of an archive.
    pub(super) fn check_tar(&mut self, kind: &'static str) {
        if self.has_no_archive() {
            self.note(OutputProblem::NoTar { kind });
        }
    }

    fn has_no_archive(&self) -> bool {
        self.attributes.get("tar").and_then(|tar| boolean(tar)) == Some(false)
    }

    /// Notes a fault if there is a destination.
    pub(super) fn check_no_destination(&mut self, kind: &'static str) {
        if self.destination.is_some() {
            self.note(OutputProblem::Destination { kind });
        }
    }

    /// Removes and returns the names of the image.
    pub(super) fn take_names(&mut self) -> Vec<String> {
        let names = self.attributes.remove("name").unwrap_or_default();
        let names = names.split(',').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    /// Removes and returns a boolean option. As in BuildKit, an option without a value is true. Notes a fault
    /// if the value is not a boolean.
    pub(super) fn take_switch(&mut self, kind: &'static str, key: &'static str) -> Option<bool> {
        let value = self.attributes.remove(key)?;
        let switch = match value.as_str() {
            "" => Some(true),
            value => boolean(value),
        };
        if switch.is_none() {
            self.note(OutputProblem::NotBoolean { kind, key, value });
        }
        switch
    }

    /// Removes and returns the remaining options, which are passed on unchanged.
    pub(super) fn rest(&mut self) -> Attributes {
        std::mem::take(&mut self.attributes)
    }
}
