//! The one gate for drivers: whatever is to run or to be installed passes [`admit`].

use iechor_registry::Digest;
use iechor_sandbox::Driver;

use super::error::DriversError;
use super::load::Origin;
use crate::error::BuilderError;

/// Decides whether a driver may be used at all, before anybody is asked what to grant it.
/// `pinned` is the digest that the user asked for.
///
/// # Errors
///
/// Why not.
pub fn admit(
    driver: &Driver,
    _origin: &Origin,
    pinned: Option<&Digest>,
) -> Result<(), BuilderError> {
    match pinned {
        Some(pinned) if pinned.as_str() != driver.digest() => Err(DriversError::Pinned {
            name: driver.name().to_owned(),
            expected: pinned.clone(),
            found: driver.digest().to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}
