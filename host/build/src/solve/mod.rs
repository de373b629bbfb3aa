//! Runs a build on one node: session, request, status.

mod credentials;
mod frontend;
mod several_outputs;
mod shared_key;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use iechor_builder::node::Connected;
use iechor_builder::{BuilderError, Workspace, lifecycle};
use iechor_buildkit::{CacheEntry, Session, SolveRequest};
use iechor_progress::vertex::StatusSender;

use crate::deliver::Deliveries;
use crate::error::BuildError;
use crate::plan::source::Source;
use crate::plan::{NodePlan, Plan};
use crate::spec::steps::Network;
use crate::spec::{BuildSpec, Cache};
use credentials::DockerCredentials;
use frontend::OfNode;

/// The result of a build on a node.
pub(crate) struct Solved {
    /// Reference of the build on the daemon.
    pub(crate) reference: String,
    /// The values that the exporters reported.
    pub(crate) response: BTreeMap<String, String>,
    /// The reason why the status was interrupted, if it was.
    pub(crate) status_failure: Option<String>,
}

/// Builds on one node, and waits until the results for the client are delivered.
///
/// # Errors
///
/// Returns the first error. Result files do not exist in this case, or are unchanged.
pub(crate) async fn solve(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    status: &StatusSender,
) -> Result<Solved, BuildError> {
    let Connected { client, workers } = node.node.connect(status).await?;
    if node.exports.len() > 1 {
        let are_supported = several_outputs::are_supported(&client, &workers).await;
        if !are_supported.map_err(BuilderError::BuildKit)? {
            return Err(BuildError::SeveralOutputs);
        }
    }
    lifecycle::touch(workspace, &plan.builder)?;

    let mut request = request(spec, plan, node);
    let session = session(workspace, &plan.source)?;
    let reference = request.reference.clone();
    let mut deliveries = Deliveries::new(workspace, node.platforms.len() > 1, status);
    for export in &node.exports {
        request.exporters.push(deliveries.open(export).await?);
    }
    let solved = client
        .solve(request, session, status.clone(), workspace.cancel.clone())
        .await;
    let solved = match solved {
        Ok(solved) => solved,
        Err(error) => return Err(deliveries.give_up(error).await),
    };
    deliveries.complete().await?;
    Ok(Solved {
        reference,
        response: solved.exporter_response,
        status_failure: solved.status_failure,
    })
}

/// Returns the request, without exporters.
fn request(spec: &BuildSpec, plan: &Plan, node: &NodePlan) -> SolveRequest {
    let mut request = SolveRequest::dockerfile();
    request.reference = iechor_buildkit::new_id();
    request.frontend_attrs = frontend::attributes(
        spec,
        &plan.source,
        &OfNode {
            platforms: &node.platforms,
            proxies: &node.proxies,
            prefers_local_images: node.prefers_local_images,
            host_gateway: node.host_gateway,
        },
    );
    if spec.steps.network == Network::Host {
        request.entitlements.push(Network::ENTITLEMENT.to_owned());
    }
    request.cache_imports = spec.cache_from.iter().map(cache_entry).collect();
    request.cache_exports = spec.cache_to.iter().map(cache_entry).collect();
    request
}

fn cache_entry(cache: &Cache) -> CacheEntry {
    CacheEntry {
        kind: cache.kind.name().to_owned(),
        attrs: cache.attributes.clone(),
    }
}

/// Returns the session with the services that the daemon may use.
fn session(workspace: &Workspace, source: &Source) -> Result<Session, BuildError> {
    let mut session =
        Session::builder().credentials(Arc::new(DockerCredentials(Arc::clone(&workspace.config))));
    if let Source::Local {
        context,
        dockerfile_directory,
        ..
    } = source
    {
        session = session
            .shared_key(shared_key::shared_key(
                context,
                workspace.store.directory(),
            )?)
            .directory("context", context)
            .directory("dockerfile", dockerfile_directory);
    }
    Ok(session.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::CacheKind;

    #[test]
    fn caches_keep_their_type_and_options() {
        let attributes = BTreeMap::from([("ref".to_owned(), "r/cache".to_owned())]);
        let cache = Cache {
            kind: CacheKind::Registry,
            attributes: attributes.clone(),
        };
        let entry = cache_entry(&cache);
        assert_eq!((entry.kind.as_str(), entry.attrs), ("registry", attributes));
    }
}
