//! The check that BuildKit allows the entitlements of a build.

use iechor_builder::node::watch::Watch;
use iechor_buildkit::{Client, Error};
use tokio_util::sync::CancellationToken;

use super::guard::guarded;
use crate::error::BuildError;
use crate::spec::Entitlement;

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
