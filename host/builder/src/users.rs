//! Lists the users of drivers for the catalog.

use std::error::Error;

use iechor_catalog::{Use, Users};

use crate::store::Store;

impl Users for Store {
    fn list(&self) -> Result<Vec<Use>, Box<dyn Error + Send + Sync>> {
        let state = self.read()?;
        // Builders whose files cannot be read are omitted: they cannot be used.
        let stored = state.builders().filter_map(|(_, stored)| stored.ok());
        Ok(stored
            .map(|stored| Use {
                builder: stored.group.name.clone(),
                driver: stored.group.driver.clone(),
                digest: stored.group.driver_digest.clone(),
            })
            .collect())
    }
}
