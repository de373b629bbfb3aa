//! The driver of a new builder, and its effect on the request.

use std::collections::BTreeMap;
use std::path::PathBuf;

use iechor_catalog::load::load_built_in;
use iechor_catalog::{CatalogError, DriverReference};
use iechor_sandbox::contract::{Descriptor, OptionKind};
use iechor_sandbox::{EMBEDDED, Embedded, Policy};

use super::CreateRequest;
use crate::error::BuilderError;
use crate::selection::CONTEXT_DRIVER;
use crate::store::NodeGroup;

/// The driver of a builder if none is named and none suits the endpoint.
const DEFAULT_DRIVER: &str = "iechor-container";

/// The driver for `BUILDKIT_HOST`.
const REMOTE_DRIVER: &str = "remote";

/// Uses the endpoint in `BUILDKIT_HOST` if the request names none.
pub(super) fn with_buildkit_host(
    existing: Option<&NodeGroup>,
    request: CreateRequest,
) -> CreateRequest {
    let driver = request.driver.as_deref().filter(|name| !name.is_empty());
    let for_it = match existing {
        Some(group) => group.driver == REMOTE_DRIVER && request.append,
        None => driver.is_none_or(|name| name == REMOTE_DRIVER),
    };
    match &request.buildkit_host {
        Some(host) if for_it && request.endpoint.is_none() => CreateRequest {
            endpoint: Some(host.clone()),
            driver: Some(REMOTE_DRIVER.into()),
            ..request
        },
        _ => request,
    }
}

/// Checks that a builder of this driver may have as many nodes as it has.
///
/// # Errors
///
/// [`BuilderError::OneNode`] if it has several, and the driver supports one.
pub(super) fn check_nodes(descriptor: &Descriptor, group: &NodeGroup) -> Result<(), BuilderError> {
    if descriptor.multi_node || group.nodes.len() < 2 {
        return Ok(());
    }
    Err(BuilderError::OneNode {
        driver: group.driver.clone(),
        builder: group.name.clone(),
    })
}

/// Returns the driver that suits an endpoint best, among those that the policy allows. The driver
/// of contexts is not considered.
async fn suited_driver(policy: &Policy, endpoint: &str) -> Result<String, BuilderError> {
    let mut best: Option<(u32, &str)> = None;
    for embedded in EMBEDDED.iter().filter(|found| found.name != CONTEXT_DRIVER) {
        let driver = match load_built_in(policy, embedded.name, None) {
            Ok(Some(driver)) => driver,
            Ok(None) | Err(CatalogError::Refused(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(priority) = driver.priority(endpoint).await?
            && best.is_none_or(|(lowest, _)| priority < lowest)
        {
            best = Some((priority, embedded.name));
        }
    }
    Ok(best.map_or(DEFAULT_DRIVER, |(_, name)| name).to_owned())
}

/// Returns the driver as it is stored: paths are absolute, so that they are valid in every
/// directory.
pub(super) async fn choose_driver(
    policy: &Policy,
    existing: Option<&NodeGroup>,
    request: &CreateRequest,
) -> Result<String, BuilderError> {
    let wanted = match request
        .driver
        .as_deref()
        .filter(|driver| !driver.is_empty())
    {
        Some(driver)
            if Embedded::find(driver).is_some_and(|found| found.name == CONTEXT_DRIVER) =>
        {
            return Err(BuilderError::DriverOfContexts {
                driver: driver.to_owned(),
            });
        }
        None => None,
        Some(driver) => {
            let reference: DriverReference = driver.parse()?;
            Some(reference.absolute()?.to_string())
        }
    };
    match (existing, wanted) {
        (Some(group), Some(wanted)) if wanted != group.driver => Err(BuilderError::OtherDriver {
            name: group.name.clone(),
            driver: group.driver.clone(),
        }),
        (Some(group), _) => Ok(group.driver.clone()),
        (None, Some(wanted)) => Ok(wanted),
        (None, None) => {
            suited_driver(policy, request.endpoint.as_deref().unwrap_or_default()).await
        }
    }
}

/// Makes paths in options absolute, so that they are valid in every directory.
pub(super) fn make_files_absolute(
    descriptor: &Descriptor,
    options: &mut BTreeMap<String, String>,
) -> Result<(), BuilderError> {
    for spec in &descriptor.options {
        if let (OptionKind::File, Some(value)) = (&spec.kind, options.get_mut(&spec.name))
            && !value.is_empty()
        {
            *value = std::path::absolute(&*value)
                .map_err(|source| BuilderError::File {
                    what: "option",
                    path: PathBuf::from(&*value),
                    source,
                })?
                .display()
                .to_string();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use iechor_sandbox::policy::{DriverPattern, Rules};

    use iechor_sandbox::Sandbox;

    use super::*;

    async fn chosen(driver: Option<&str>, endpoint: Option<&str>, host: Option<&str>) -> String {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let request = with_buildkit_host(
            None,
            CreateRequest {
                driver: text(driver),
                endpoint: text(endpoint),
                buildkit_host: text(host),
                ..CreateRequest::default()
            },
        );
        match choose_driver(&Policy::default(), None, &request).await {
            Ok(driver) => format!("{driver} {}", request.endpoint.unwrap_or_default()),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn only_a_driver_of_several_nodes_gets_a_second_one() {
        let remote = Sandbox::embedded(REMOTE_DRIVER).expect("loads");
        let remote = remote.expect("built in");
        let descriptor = remote.descriptor().await.expect("described");
        for (nodes, multi_node, expected) in [(1, false, true), (2, true, true), (2, false, false)]
        {
            let group = NodeGroup {
                nodes: vec![crate::store::Node::default(); nodes],
                ..NodeGroup::default()
            };
            let descriptor = Descriptor {
                multi_node,
                ..descriptor.clone()
            };
            let checked = check_nodes(&descriptor, &group);
            assert_eq!(
                checked.is_ok(),
                expected,
                "{nodes} {multi_node}: {checked:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_driver_that_the_policy_does_not_allow_is_not_chosen() {
        let only_containers = DriverPattern::parse("built-in:iechor-container");
        let policy = Policy {
            files: vec![Rules {
                drivers: Some(vec![only_containers.expect("a pattern")]),
                ..Rules::default()
            }],
        };
        let request = CreateRequest {
            endpoint: Some("tcp://c:1".into()),
            ..CreateRequest::default()
        };
        for (policy, expected) in [(policy, DEFAULT_DRIVER), (Policy::default(), "remote")] {
            let chosen = choose_driver(&policy, None, &request).await;
            assert_eq!(chosen.expect("one"), expected);
        }
    }

    #[tokio::test]
    async fn an_endpoint_chooses_the_driver_where_the_user_does_not() {
        let host = Some("tcp://b:1234");
        for (driver, endpoint, host, expected) in [
            (None, None, None, "iechor-container "),
            (None, Some("context"), None, "iechor-container context"),
            (None, Some("tcp://c:1"), None, "remote tcp://c:1"),
            (None, Some("unix:///c"), host, "remote unix:///c"),
            (None, Some("context"), host, "iechor-container context"),
            (None, None, host, "remote tcp://b:1234"),
            (Some("remote"), None, host, "remote tcp://b:1234"),
            (Some("remote"), Some("tcp://c:1"), host, "remote tcp://c:1"),
            (Some("docker-container"), None, host, "docker-container "),
            (
                Some("iechor-container"),
                Some("tcp://c:1"),
                None,
                "iechor-container tcp://c:1",
            ),
        ] {
            assert_eq!(chosen(driver, endpoint, host).await, expected);
        }
        for name in ["iechor", "docker"] {
            let words = chosen(Some(name), None, None).await;
            assert!(words.contains("additional instances of driver"), "{words}");
        }
    }
}
