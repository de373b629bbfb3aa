//! The one gate for drivers: whatever is to run or to be installed passes [`admit`].

use std::path::Path;

use iechor_registry::{Digest, Location, Source};
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::policy::Origin;
use iechor_sandbox::{Embedded, Grant, Policy};

use super::error::DriversError;
use crate::error::BuilderError;

/// Decides whether the driver of that name and digest may be used at all, before anything of it is
/// parsed, compiled or run and before anybody is asked what to grant it. `source` is where it comes
/// from, as policies name it, and `pinned` the digest that the user asked for.
///
/// # Errors
///
/// Why not.
pub fn admit(
    policy: &Policy,
    name: &str,
    digest: &str,
    source: &str,
    pinned: Option<&Digest>,
) -> Result<(), BuilderError> {
    policy.check_driver(name, &Origin { digest, source })?;
    match pinned {
        Some(pinned) if pinned.as_str() != digest => Err(DriversError::Pinned {
            name: name.to_owned(),
            expected: pinned.clone(),
            found: digest.to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// What policies call the built-in driver that goes by `name`.
pub fn built_in(name: &str) -> String {
    let name = Embedded::find(name).map_or(name, |found| found.name);
    format!("built-in:{name}")
}

/// What policies call a driver from there: the exact place that its bytes were fetched from, and
/// not what the user wrote, which may have led elsewhere then and may lead elsewhere now.
pub fn fetched(pinned: &Source) -> String {
    match &pinned.location {
        Location::Path(path) => file(path),
        Location::Web(url) => url.clone(),
        Location::Registry(artifact) => format!("oci://{artifact}"),
    }
}

/// What policies call a driver in that file, which is named without symbolic links.
pub fn file(real: &Path) -> String {
    format!("file:{}", real.display())
}

/// Checks that a driver asks for all that is to be granted: a grant for anything else is a mistake,
/// and would come to life unasked when a later version asks for it.
///
/// # Errors
///
/// [`DriversError::NotRequested`].
pub fn check_requested(
    driver: &str,
    requests: &[CapabilityRequest],
    grants: &[Grant],
) -> Result<(), DriversError> {
    let unasked: Vec<_> = grants
        .iter()
        .filter(|grant| !requests.iter().any(|request| request.name == grant.name))
        .map(ToString::to_string)
        .collect();
    if unasked.is_empty() {
        return Ok(());
    }
    Err(DriversError::NotRequested {
        driver: driver.to_owned(),
        unasked,
        requested: requests
            .iter()
            .map(|request| request.name.clone())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asked_for_is_not_granted() {
        let request = CapabilityRequest {
            name: "image.pull".into(),
            scope: Vec::new(),
            required: true,
            reason: "because".into(),
        };
        let grants = |texts: &[&str]| -> Vec<Grant> {
            let parsed = texts
                .iter()
                .map(|text| Grant::parse(text).expect("a grant"));
            parsed.collect()
        };
        let requests = [request];
        assert!(check_requested("d", &requests, &grants(&["image.pull=a"])).is_ok());
        let error = check_requested("d", &requests, &grants(&["image.pull", "engine.open"]));
        let error = error.expect_err("not asked for").to_string();
        assert!(error.contains("does not ask for engine.open,"), "{error}");
        assert!(error.contains("it asks for: image.pull"), "{error}");
    }
}
