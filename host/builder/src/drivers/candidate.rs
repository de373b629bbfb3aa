//! A driver that was fetched and may be installed, once somebody has decided what to grant it.

use std::sync::Arc;

use iechor_registry::{Fetched, Request, Source as DriverSource};
use iechor_sandbox::contract::{CapabilityRequest, Descriptor};
use iechor_sandbox::{Binary, Driver, Embedded, Grant, Sandbox, Source, grant, limits};

use super::error::DriversError;
use super::lock::{self, Installed};
use super::{admission, load, publish};
use crate::credentials;
use crate::error::BuilderError;
use crate::name::Name;
use crate::workspace::Workspace;

/// Told how many bytes have come, and how many there will be where that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// A driver that was fetched, and is known to be one.
pub struct Candidate {
    driver: Arc<Driver>,
    descriptor: Descriptor,
    entry: Installed,
    binary: Binary,
}

impl Candidate {
    /// Fetches the driver of a source. It is called `name`, else as it calls itself.
    ///
    /// # Errors
    ///
    /// Where it cannot be fetched, is no driver, or may not be used.
    pub async fn fetch(
        workspace: &Workspace,
        source: DriverSource,
        name: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Self, BuilderError> {
        let source = source.absolute()?;
        let request = request(workspace, &source, progress).await?;
        let fetched = workspace
            .unless_cancelled(
                "fetching the driver",
                iechor_registry::fetch(&source, &request),
            )
            .await?;
        Self::new(workspace, &source, fetched, name).await
    }

    async fn new(
        workspace: &Workspace,
        source: &DriverSource,
        fetched: Fetched,
        name: Option<&str>,
    ) -> Result<Self, BuilderError> {
        // Until it has said its name it is called by its source.
        let known_as = name.map_or_else(|| source.to_string(), str::to_owned);
        let place = Source::File(source.to_string().into());
        let policy = workspace.policy()?;
        let binary = Binary::new(fetched.bytes);
        let from = admission::fetched(&fetched.pinned);
        admission::admit(&policy, &known_as, binary.digest(), &from, None)?;
        let loading = Sandbox::component(known_as, place, binary.clone());
        let driver = workspace.unless_cancelled(load::LOADING, loading).await?;
        let descriptor = driver.descriptor().await?.clone();
        let name = name.unwrap_or(&descriptor.name).to_owned();
        check_name(&name)?;
        // Nobody is asked to grant what there is not.
        driver.requests().await?;
        policy.check_requests(&name, &descriptor.capabilities)?;
        let entry = Installed {
            name,
            version: descriptor.version.clone(),
            source: source.to_string(),
            pinned: fetched.pinned.to_string(),
            digest: fetched.digest,
            installed_at: publish::now(),
            others: Default::default(),
        };
        Ok(Self {
            driver,
            descriptor,
            entry,
            binary,
        })
    }

    /// What the lock file would say.
    pub fn entry(&self) -> &Installed {
        &self.entry
    }

    /// What it says that it is.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it asks for and what there is, in the order in which to decide about it.
    pub fn requests(&self) -> Vec<&CapabilityRequest> {
        let mut requests = grant::review_order(&self.descriptor.capabilities);
        requests.retain(|request| grant::find(&request.name).is_ok());
        requests
    }

    /// Checks that all that it needs would be granted, and nothing that it does not ask for.
    ///
    /// # Errors
    ///
    /// [`iechor_sandbox::DriverError::Untrusted`] with what is missing, or
    /// [`DriversError::NotRequested`].
    pub async fn check(&self, grants: &[Grant]) -> Result<(), BuilderError> {
        let requests = &self.descriptor.capabilities;
        admission::check_requested(&self.entry.name, requests, grants)?;
        self.driver.grants(grants).await?;
        Ok(())
    }

    /// Checks that no other driver has its name.
    ///
    /// # Errors
    ///
    /// [`DriversError::Exists`].
    pub fn check_free(&self, lock: &lock::LockFile) -> Result<(), DriversError> {
        match lock.driver(&self.entry.name) {
            Some(installed) => Err(DriversError::Exists {
                name: installed.name.clone(),
                installed_from: installed.source.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Installs it with these grants; `replaced` is the entry that it takes the place of.
    ///
    /// # Errors
    ///
    /// Where it lacks a grant, or somebody else was quicker. Nothing is left then.
    pub async fn install(
        self,
        workspace: &Workspace,
        grants: &[Grant],
        replaced: Option<&Installed>,
    ) -> Result<Installed, BuilderError> {
        self.check(grants).await?;
        if workspace.cancel.is_cancelled() {
            return Err(BuilderError::Cancelled("installing the driver"));
        }
        let in_use = match replaced {
            Some(old) => super::manage::remembered(&workspace.store, &old.digest)?,
            None => false,
        };
        let component = (&self.entry.digest, self.binary.bytes());
        lock::edit(&workspace.store, Some(component), |lock| {
            match replaced {
                None => self.check_free(lock)?,
                Some(old) if lock.driver(&old.name) == Some(old) => {}
                Some(old) => {
                    let name = old.name.clone();
                    return Err(DriversError::Raced { name }.into());
                }
            }
            lock.put(self.entry.clone());
            if let Some(old) = replaced {
                lock.forget(&old.digest, in_use);
            }
            lock.set_grants(&self.entry.digest, grants);
            Ok(())
        })?;
        Ok(self.entry)
    }
}

/// What a fetch may do, with the credentials of the Docker configuration.
pub(super) async fn request<'a>(
    workspace: &Workspace,
    source: &DriverSource,
    progress: Progress<'a>,
) -> Result<Request<'a>, BuilderError> {
    Ok(Request {
        credential: credentials::for_source(&workspace.config, source).await?,
        limit: limits::COMPONENT_BYTES,
        progress,
    })
}

fn check_name(name: &str) -> Result<(), DriversError> {
    let wrong = |reason: String| DriversError::Name {
        name: name.to_owned(),
        reason,
    };
    Name::parse(name).map_err(|error| wrong(error.to_string()))?;
    if name.ends_with(".wasm") {
        return Err(wrong("it would be taken for a file".into()));
    }
    if Embedded::names().any(|built_in| built_in.eq_ignore_ascii_case(name)) {
        return Err(DriversError::BuiltIn {
            name: name.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_drivers_cannot_have() {
        for (name, words) in [
            ("docker-container", "is built in"),
            ("Iechor-Container", "is built in"),
            ("a/b", "cannot be the name"),
            ("", "cannot be the name"),
            ("a.wasm", "taken for a file"),
            ("oci://a", "cannot be the name"),
        ] {
            let error = check_name(name).expect_err(name).to_string();
            assert!(error.contains(words) && error.contains("--name"), "{error}");
        }
        assert!(check_name("team").is_ok());
    }
}
