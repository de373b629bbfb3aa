//! Changes the grants of a driver's digest.

use iechor_files::Locked;
use iechor_sandbox::Grant;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::load::useless;
use crate::loaded::Loaded;

impl Catalog {
    /// Revokes grants of a driver's digest, then adds others. Applies to the current contents of the lock
    /// file.
    ///
    /// # Errors
    ///
    /// Returns [`CatalogError::AlwaysTrusted`] for a built-in driver, [`CatalogError::NotRequested`],
    /// [`CatalogError::NotGranted`], or an error if the lock file cannot be written. In all cases nothing
    /// is changed.
    pub async fn change_grants(
        &self,
        loaded: &mut Loaded,
        revoked: &[Grant],
        more: &[Grant],
    ) -> Result<(), CatalogError> {
        if loaded.own_digest().is_none() {
            let name = loaded.driver.name().to_owned();
            return Err(CatalogError::AlwaysTrusted { name });
        }
        loaded.check_requested(more).await?;
        let digest = loaded.digest()?;
        (loaded.granted, loaded.useless) = self.edit(None, |lock| {
            loaded.check_there(lock)?;
            for revoked in revoked {
                lock.revoke(&digest, revoked)?;
            }
            lock.grant(&digest, more);
            Ok((lock.grants(digest.as_str()), useless(lock, digest.as_str())))
        })?;
        Ok(())
    }

    /// Adds grants to a driver's digest, under the store's lock. Returns the new grants, for
    /// [`Self::take_back`].
    ///
    /// # Errors
    ///
    /// Returns an error if the lock file cannot be written.
    pub fn give(
        &self,
        loaded: &Loaded,
        locked: &Locked,
        more: &[Grant],
    ) -> Result<Vec<Grant>, CatalogError> {
        if more.is_empty() || loaded.own_digest().is_none() {
            return Ok(Vec::new());
        }
        let digest = loaded.digest()?;
        self.edit_in(locked, |lock| {
            loaded.check_there(lock)?;
            Ok(lock.grant(&digest, more))
        })
    }

    /// Revokes the grants that [`Self::give`] added, unless another process has done so.
    ///
    /// # Errors
    ///
    /// Returns an error if the lock file cannot be written.
    pub fn take_back(
        &self,
        loaded: &Loaded,
        locked: &Locked,
        given: &[Grant],
    ) -> Result<(), CatalogError> {
        if given.is_empty() {
            return Ok(());
        }
        let digest = loaded.digest()?;
        self.edit_in(locked, |lock| {
            lock.withdraw(&digest, |grant| given.contains(grant));
            Ok(())
        })
    }
}
