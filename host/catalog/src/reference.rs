//! References of users to drivers: a name or the path of a component, optionally followed by
//! `@sha256:...` to require a digest.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use iechor_registry::Digest;

use crate::error::CatalogError;

/// A reference of a user to a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverReference {
    /// The name or file.
    pub place: Place,
    /// The required digest of the component.
    pub digest: Option<Digest>,
}

/// The place of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The name of a built-in or installed driver.
    Name(String),
    /// The file of a component: the text has a `/`, or ends in `.wasm`.
    File(PathBuf),
}

impl FromStr for DriverReference {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let (place, digest) = Digest::split_from(text)?;
        if place.contains("://") {
            return Err(CatalogError::NotInstalled {
                source_text: text.to_owned(),
            });
        }
        let place = if place.contains('/') || place.ends_with(".wasm") {
            Place::File(place.into())
        } else {
            Place::Name(place.to_owned())
        };
        Ok(Self { place, digest })
    }
}

impl DriverReference {
    /// Returns the same reference with an absolute path.
    ///
    /// # Errors
    ///
    /// Returns an error if the file does not exist.
    pub fn absolute(self) -> Result<Self, CatalogError> {
        let Place::File(path) = self.place else {
            return Ok(self);
        };
        let absolute = path
            .canonicalize()
            .map_err(|error| CatalogError::Unreadable {
                path,
                reason: error.to_string(),
            })?;
        Ok(Self {
            place: Place::File(absolute),
            digest: self.digest,
        })
    }
}

impl fmt::Display for DriverReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(name) => formatter.write_str(name)?,
            Place::File(path) => write!(formatter, "{}", path.display())?,
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        let digest = Digest::of(b"");
        for (text, place) in [
            ("team", Place::Name("team".into())),
            ("team.wasm", Place::File("team.wasm".into())),
            ("./team", Place::File("./team".into())),
        ] {
            for text in [text.to_owned(), format!("{text}@{digest}")] {
                let reference: DriverReference = text.parse().expect("a reference");
                assert_eq!(reference.place, place);
                assert_eq!(reference.digest.is_some(), text.contains('@'));
                assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn what_has_to_be_installed_first() {
        let error = "oci://h/a:1".parse::<DriverReference>().expect_err("no");
        assert!(
            matches!(&error, CatalogError::NotInstalled { source_text } if source_text == "oci://h/a:1"),
            "{error}"
        );
        assert!("team@sha256:1".parse::<DriverReference>().is_err());
    }
}
