//! Puts a component into a registry, for others to install.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use iechor_registry::{Contents, Location, Pushed, RegistryError, Source as DriverSource};
use iechor_sandbox::contract::Descriptor;
use iechor_sandbox::{Binary, Sandbox, Source};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{admission, candidate, load};
use crate::error::BuilderError;
use crate::workspace::Workspace;

/// Pushes the component of a file, which has to be a driver.
///
/// # Errors
///
/// Where the file is no driver, or the registry does not take it.
pub async fn push(
    workspace: &Workspace,
    file: &Path,
    destination: &DriverSource,
) -> Result<Pushed, BuilderError> {
    let wrong = |reason: &str| RegistryError::Source {
        text: destination.to_string(),
        reason: reason.into(),
    };
    let Location::Registry(artifact) = &destination.location else {
        return Err(wrong("a driver is pushed to oci://REGISTRY/REPOSITORY:TAG").into());
    };
    if destination.digest.is_some() {
        return Err(wrong("the digest is known only after it was pushed").into());
    }
    let source = DriverSource::path(file);
    let request = candidate::request(workspace, &source, &|_, _| {}).await?;
    let fetched = iechor_registry::fetch(&source, &request).await?;
    let name = file.display().to_string();
    let place = Source::File(file.to_owned());
    let policy = workspace.policy()?;
    let binary = Binary::new(fetched.bytes.clone());
    // It is asked what it is, so it has to be allowed to run here.
    let from = admission::fetched(&fetched.pinned);
    admission::admit(&policy, &name, binary.digest(), &from, None)?;
    let loading = Sandbox::component(name, place, binary);
    let driver = workspace.unless_cancelled(load::LOADING, loading).await?;
    let contents = Contents {
        imports: driver.imports().to_vec(),
        exports: driver.exports().to_vec(),
        created: now(),
        annotations: annotations(driver.descriptor().await?),
    };
    let credential = candidate::request(workspace, destination, &|_, _| {})
        .await?
        .credential;
    let pushing = iechor_registry::push(artifact, fetched.bytes, &contents, &credential);
    workspace
        .unless_cancelled("pushing the driver", pushing)
        .await
}

/// The present moment, in RFC 3339 and whole seconds.
pub(super) fn now() -> String {
    OffsetDateTime::from(SystemTime::now())
        .replace_nanosecond(0)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

/// What a driver says of itself, under the keys of the OCI.
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
