//! Which builders work with drivers. Builders are kept elsewhere, see [`Users`].

use std::error::Error;

use iechor_registry::Digest;

use crate::error::CatalogError;
use crate::reference::{DriverReference, Place};

/// A builder, and the driver that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The builder.
    pub builder: String,
    /// The driver, as [`DriverReference`] reads it.
    pub driver: String,
    /// Digest of the component that the builder was made with, where it is known.
    pub digest: Option<String>,
}

/// Lists the builders that there are.
pub trait Users: Send + Sync {
    /// Returns the builders that can be read.
    ///
    /// # Errors
    ///
    /// Where builders cannot be listed.
    fn list(&self) -> Result<Vec<Use>, Box<dyn Error + Send + Sync>>;
}

/// A builder that works with a driver that goes by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The builder.
    pub builder: String,
    /// The one component that it works with, where it was made with a name and a digest.
    pub pinned: Option<Digest>,
}

/// Returns the builders whose driver goes by a name, with that name.
///
/// # Errors
///
/// Where builders cannot be listed.
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
