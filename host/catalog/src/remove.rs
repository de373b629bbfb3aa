//! Removes installed drivers.

use iechor_sandbox::Embedded;

use crate::catalog::Catalog;
use crate::error::CatalogError;

impl Catalog {
    /// Removes an installed driver, with what was granted to it; one whose entry cannot be used,
    /// too. Returns its name.
    ///
    /// # Errors
    ///
    /// Where builders use it and `force` is not set, or there is none.
    pub fn remove(&self, name: &str, force: bool) -> Result<String, CatalogError> {
        let storage = self.storage();
        // Under the lock: a builder that is saved at the same time waits, or is seen here.
        self.edit(None, |lock| {
            let name = match lock.broken_driver(name) {
                Some(_) => name.to_owned(),
                None => lock.managed(name)?.name,
            };
            // Builders use the built-in driver of that name, where there is one.
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
