//! The builders that use drivers. Another crate stores the builders, see [`Users`].

use std::error::Error;

use iechor_registry::Digest;

use crate::error::CatalogError;
use crate::reference::{DriverReference, Place};

/// A builder, and the driver that it was created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The builder.
    pub builder: String,
    /// The driver, in the syntax of [`DriverReference`].
    pub driver: String,
    /// Digest of the component that the builder was created with, if it is known.
    pub digest: Option<String>,
}

/// A list of the existing builders.
pub trait Users: Send + Sync {
    /// Returns the builders that can be read.
    ///
    /// # Errors
    ///
    /// Returns an error if the builders cannot be listed.
    fn list(&self) -> Result<Vec<Use>, Box<dyn Error + Send + Sync>>;
}

/// A builder that refers to its driver by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The builder.
    pub builder: String,
    /// The digest of the component, if the builder is pinned to one.
    pub pinned: Option<Digest>,
}

/// Returns the builders that refer to their driver by name, each with that name.
///
/// # Errors
///
/// Returns an error if the builders cannot be listed.
pub(crate) fn named(users: &dyn Users) -> Result<Vec<(String, User)>, CatalogError> {
    let all = users.list().map_err(CatalogError::Users)?.into_iter();
    Ok(all
        .filter_map(|used| {
            let reference: DriverReference = used.driver.parse().ok()?;
            let Place::Name(name) = reference.place else {
                return None;
            };
            let user = User {
                builder: used.builder,
                pinned: reference.digest,
            };
            Some((name, user))
        })
        .collect())
}
