//! Pushes a component to a registry, so that others can install it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use iechor_sandbox::contract::Descriptor;
use iechor_sandbox::{Binary, Source as Place};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::admission;
use crate::catalog::Catalog;
use crate::component::Contents;
use crate::error::CatalogError;
use crate::fetch::Pushed;
use crate::source::{Location, Source};

impl Catalog {
    /// Pushes the component of a file. The component must be a driver.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not a driver, or the registry refuses it.
    pub async fn push(&self, file: &Path, destination: &Source) -> Result<Pushed, CatalogError> {
        let wrong = |reason: &str| CatalogError::Source {
            text: destination.to_string(),
            reason: reason.into(),
        };
        let Location::Registry(artifact) = &destination.location else {
            return Err(wrong(
                "a driver can only be pushed to oci://REGISTRY/REPOSITORY:TAG",
            ));
        };
        if destination.digest.is_some() {
            return Err(wrong("the digest is not known before the push"));
        }
        let fetched = self.fetch(&Source::path(file), &|_, _| {}).await?;
        let name = file.display().to_string();
        let policy = self.policy()?;
        let binary = Binary::new(fetched.bytes.clone());
        // Reading its description runs the driver, so it must be allowed to run here.
        let from = admission::fetched(&fetched.pinned);
        admission::admit(&policy, &name, binary.digest(), &from, None)?;
        let place = Place::File(file.to_owned());
        let driver = self.component(name, place, binary).await?;
        let contents = Contents {
            imports: driver.imports().to_vec(),
            exports: driver.exports().to_vec(),
            created: now(),
            annotations: annotations(driver.descriptor().await?),
        };
        self.push_component(artifact, fetched.bytes, &contents)
            .await
    }
}

/// Returns the current time, in RFC 3339 with whole seconds.
pub(crate) fn now() -> String {
    OffsetDateTime::from(SystemTime::now())
        .replace_nanosecond(0)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// Returns the description of a driver as OCI annotations.
fn annotations(descriptor: &Descriptor) -> BTreeMap<String, String> {
    let said = [
        ("title", Some(&descriptor.name)),
        ("version", Some(&descriptor.version)),
        ("description", Some(&descriptor.summary)),
        ("vendor", descriptor.vendor.as_ref()),
        ("url", descriptor.homepage.as_ref()),
        ("licenses", descriptor.license.as_ref()),
    ];
    said.into_iter()
        .filter_map(|(key, value)| Some((key, value.filter(|value| !value.is_empty())?)))
        .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value.clone()))
        .collect()
}
