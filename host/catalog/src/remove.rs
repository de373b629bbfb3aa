//! Removes installed drivers.

use iechor_sandbox::Embedded;

use crate::catalog::Catalog;
use crate::error::CatalogError;

impl Catalog {
    /// Removes an installed driver and its grants, also if its entry cannot be used. Returns its name.
    ///
    /// # Errors
    ///
    /// Returns an error if builders use the driver and `force` is not set, or it does not exist.
    pub fn remove(&self, name: &str, force: bool) -> Result<String, CatalogError> {
        let storage = self.storage();
        // With the lock held, a builder that is saved at the same time waits, or is visible here.
        self.edit(None, |lock| {
            let name = match lock.broken_driver(name) {
                Some(_) => name.to_owned(),
                None => lock.managed(name)?.name,
            };
            // If there is a built-in driver with the name, builders use that one.
            let builders: Vec<_> = match Embedded::find(&name) {
                Some(_) => Vec::new(),
                None => {
                    let users = storage.users_of(&name)?.into_iter();
                    users.map(|user| user.builder).collect()
                }
            };
            if !builders.is_empty() && !force {
                return Err(CatalogError::InUse { name, builders });
            }
            if let Some(entry) = lock.take(&name) {
                let in_use = storage.is_remembered(&entry.digest)?;
                lock.forget(&entry.digest, in_use && !force);
            }
            Ok(name)
        })
    }
}
