//! Unparsed options of an exporter.

use std::path::PathBuf;

use super::{Destination, Exporter, TYPES};
use crate::spec::error::OutputProblem;
use crate::spec::value::{Attributes, boolean};

/// Unparsed options of an exporter.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    kind: Option<String>,
    destination: Option<String>,
    attributes: Attributes,
}

impl Fields {
    /// Returns the options of an output that is only a destination: `-` is a tar archive on standard output,
    /// any other text is a directory.
    pub fn of_place(place: &str) -> Self {
        Self {
            kind: Some(if place == "-" { "tar" } else { "local" }.to_owned()),
            destination: Some(place.to_owned()),
            attributes: Attributes::new(),
        }
    }

    /// Parses options of the form `KEY=VALUE`.
    ///
    /// # Errors
    ///
    /// Returns the first field that is not `KEY=VALUE`.
    pub fn of_pairs(pairs: &[String]) -> Result<Self, OutputProblem> {
        let mut fields = Self::default();
        for pair in pairs {
            let (key, value) = pair.split_once('=').ok_or_else(|| OutputProblem::NoValue {
                field: pair.clone(),
            })?;
            let value = value.to_owned();
            match key.trim().to_ascii_lowercase() {
                key if key == "type" => fields.kind = Some(value),
                key if key == "dest" => fields.destination = Some(value),
                key => drop(fields.attributes.insert(key, value)),
            }
        }
        Ok(fields)
    }

    /// Parses the options according to their type.
    ///
    /// # Errors
    ///
    /// Returns an error if the type is unknown or an option is invalid.
    pub fn read(mut self) -> Result<Exporter, OutputProblem> {
        let kind = self.kind.take().ok_or(OutputProblem::NoType)?;
        match TYPES.iter().find(|(name, _)| *name == kind) {
            Some((_, read)) => read(self),
            None => Err(OutputProblem::UnknownType { kind }),
        }
    }

    /// Removes and returns the directory that the exporter `kind` requires.
    pub(super) fn take_directory(&mut self, kind: &'static str) -> Result<PathBuf, OutputProblem> {
        match self.destination.take().as_deref() {
            None | Some("") => Err(OutputProblem::NoDestination { kind }),
            Some("-") => Err(OutputProblem::ToStdout { kind }),
            Some(path) => Ok(path.into()),
        }
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
    pub(super) fn take_layout(
        &mut self,
        kind: &'static str,
    ) -> Result<Option<Destination>, OutputProblem> {
        match self.attributes.get("tar").and_then(|tar| boolean(tar)) {
            Some(false) => {
                let directory = self.take_directory(kind)?;
                Ok(Some(Destination::Directory(directory)))
            }
            _ => Ok(None),
        }
    }

    /// Checks that no directory is requested instead of an archive.
    pub(super) fn check_tar(&self, kind: &'static str) -> Result<(), OutputProblem> {
        match self.attributes.get("tar").and_then(|tar| boolean(tar)) {
            Some(false) => Err(OutputProblem::NoTar { kind }),
            _ => Ok(()),
        }
    }

    /// Checks that there is no destination.
    pub(super) fn check_no_destination(&self, kind: &'static str) -> Result<(), OutputProblem> {
        match self.destination {
            Some(_) => Err(OutputProblem::Destination { kind }),
            None => Ok(()),
        }
    }

    /// Removes and returns the names of the image.
    pub(super) fn take_names(&mut self) -> Vec<String> {
        let names = self.attributes.remove("name").unwrap_or_default();
        let names = names.split(',').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    /// Removes and returns a boolean option. As in BuildKit, an option without a value is true.
    pub(super) fn take_switch(
        &mut self,
        kind: &'static str,
        key: &'static str,
    ) -> Result<Option<bool>, OutputProblem> {
        match self.attributes.remove(key) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(Some(true)),
            Some(value) => match boolean(&value) {
                Some(switch) => Ok(Some(switch)),
                None => Err(OutputProblem::NotBoolean { kind, key, value }),
            },
        }
    }

    /// Returns the remaining options, which are passed on unchanged.
    pub(super) fn rest(self) -> Attributes {
        self.attributes
    }
}
