//! The entitlements of a build, and the check that BuildKit allows them.

use iechor_builder::node::watch::Watch;
use iechor_buildkit::{Client, Error};
use tokio_util::sync::CancellationToken;

use super::guard::guarded;
use crate::error::BuildError;
use crate::spec::{BuildSpec, Entitlement};

/// The attribute of the frontend with the network of all steps.
const NETWORK: &str = "force-network-mode";

/// Returns the entitlements of a build: those that it is given, and those that its attributes imply.
pub(super) fn of_build<'a>(
    spec: &BuildSpec,
    attributes: impl Fn(&str) -> Option<&'a String>,
) -> Vec<Entitlement> {
    let mut entitlements = spec.entitlements.clone();
    if attributes(NETWORK).is_some_and(|network| network == "host") {
        entitlements.insert(Entitlement::NetworkHost);
    }
    entitlements
        .into_iter()
        .filter(Entitlement::is_of_buildkit)
        .collect()
}

/// Checks, before the build, that BuildKit allows its entitlements.
///
/// # Errors
///
/// Returns the first entitlement that BuildKit does not allow.
pub(super) async fn check(
    client: &Client,
    watch: Option<&Watch>,
    cancel: &CancellationToken,
    node: &str,
    entitlements: &[Entitlement],
) -> Result<(), BuildError> {
    // One at a time: the text of an error does not decide which one it is.
    for entitlement in entitlements {
        let probe = async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(Error::Cancelled),
                probed = client.probe(vec![entitlement.to_string()]) => probed,
            }
        };
        let Err(failure) = guarded(client, watch, probe).await else {
            continue;
        };
        return Err(match failure.error {
            Error::Solve(error) => BuildError::Entitlement {
                entitlement: entitlement.clone(),
                node: node.to_owned(),
                error,
            },
            _ => failure.into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Context;

    #[test]
    fn the_network_of_the_host_is_an_entitlement() {
        let mut spec = BuildSpec::new(Context::Directory(".".into()));
        spec.entitlements
            .extend([Entitlement::SecurityInsecure, Entitlement::LocalDelete]);
        let host = "host".to_owned();
        let attribute = |name: &str| (name == NETWORK).then_some(&host);
        assert_eq!(
            of_build(&spec, attribute),
            [Entitlement::NetworkHost, Entitlement::SecurityInsecure]
        );
        assert_eq!(of_build(&spec, |_| None), [Entitlement::SecurityInsecure]);
    }
}
