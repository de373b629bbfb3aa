//! Admission of drivers: every driver that runs or is installed passes [`admit`].

use std::path::Path;

use iechor_registry::Digest;
use iechor_sandbox::contract::CapabilityRequest;
use iechor_sandbox::policy::Origin;
use iechor_sandbox::{Driver, DriverError, Embedded, Grant, Grants, Policy};

use crate::error::{CatalogError, GrantsFrom, MissingGrant};
use crate::source::{Location, Source};

/// Checks that a driver may be used, before it is parsed, compiled or run and before the user is asked
/// for grants. `source` is the origin of the driver in the form that policies use, and `pinned` is the
/// digest that the user requested.
///
/// # Errors
///
/// Returns the rule of the policy that does not allow it, or [`CatalogError::Pinned`].
pub fn admit(
    policy: &Policy,
    name: &str,
    digest: &str,
    source: &str,
    pinned: Option<&Digest>,
) -> Result<(), CatalogError> {
    policy.check_driver(name, &Origin { digest, source })?;
    match pinned {
        Some(pinned) if pinned.as_str() != digest => Err(CatalogError::Pinned {
            name: name.to_owned(),
            expected: pinned.clone(),
            found: digest.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Returns the name of a built-in driver in policies.
pub fn built_in(name: &str) -> String {
    let name = Embedded::find(name).map_or(name, |found| found.name);
    format!("built-in:{name}")
}

/// Returns the name of a fetched driver in policies: the exact origin of its bytes. The source as the user
/// wrote it is not used, because it can lead to different places at different times.
pub fn fetched(pinned: &Source) -> String {
    match &pinned.location {
        Location::Path(path) => file(path),
        Location::Web(url) => url.clone(),
        Location::Registry(artifact) => format!("oci://{artifact}"),
    }
}

/// Returns the name of a driver file in policies. `real` is the path without symbolic links.
pub fn file(real: &Path) -> String {
    format!("file:{}", real.display())
}

/// Checks that a driver requests everything that is to be granted. Any other grant is a mistake, and
/// would take effect without a question when a later version requests it.
///
/// # Errors
///
/// Returns [`CatalogError::NotRequested`].
pub fn check_requested(
    driver: &str,
    requests: &[CapabilityRequest],
    grants: &[Grant],
) -> Result<(), CatalogError> {
    let unasked: Vec<_> = grants
        .iter()
        .filter(|grant| !requests.iter().any(|request| request.name == grant.name))
        .map(ToString::to_string)
        .collect();
    if unasked.is_empty() {
        return Ok(());
    }
    Err(CatalogError::NotRequested {
        driver: driver.to_owned(),
        unasked,
        requested: requests
            .iter()
            .map(|request| request.name.clone())
            .collect(),
    })
}

/// Checks that a driver has all required grants, and returns its grants.
///
/// # Errors
///
/// Returns [`CatalogError::Untrusted`] with the missing grants, or the error of the driver.
pub(crate) async fn check_trusted(
    driver: &Driver,
    granted: &[Grant],
    from: GrantsFrom,
) -> Result<Grants, CatalogError> {
    let requests = match driver.grants(granted).await {
        Err(DriverError::Untrusted { requests, .. }) => requests,
        grants => return Ok(grants?),
    };
    let asked = &driver.descriptor().await?.capabilities;
    let patterns = |name: &str| {
        let request = asked.iter().find(|request| request.name == name);
        request.map_or_else(Vec::new, |request| request.scope.clone())
    };
    Err(CatalogError::Untrusted {
        driver: driver.name().to_owned(),
        missing: requests
            .into_iter()
            .map(|(capability, reason)| MissingGrant {
                patterns: patterns(&capability),
                capability,
                reason,
            })
            .collect(),
        from,
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
        let error = error.expect_err("not requested").to_string();
        assert!(error.contains("does not request engine.open,"), "{error}");
        assert!(error.contains("it requests: image.pull"), "{error}");
    }
}
