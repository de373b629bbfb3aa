//! Runs a build on one node: session, request, status.

mod caches;
mod credentials;
mod frontend;
mod local_state;
mod several_outputs;
mod shared_key;

use std::collections::BTreeMap;
use std::sync::Arc;

use iechor_builder::node::Connected;
use iechor_builder::{BuilderError, Workspace, lifecycle};
use iechor_buildkit::{CacheEntry, Client, Session, SessionBuilder, SolveRequest, Worker};
use iechor_progress::vertex::{StatusSender, Vertex};
use serde_json::Value;

use crate::deliver::Deliveries;
use crate::deliver::metadata::provenance_values;
use crate::error::BuildError;
use crate::plan::source::Source;
use crate::plan::{NodePlan, Plan};
use crate::spec::{BuildSpec, Cache, ProvenanceMode};
use credentials::DockerCredentials;
use frontend::OfNode;

/// The ability of a frontend to use named contexts. BuildKit refuses a frontend without it.
const NAMED_CONTEXTS: &str = "moby.buildkit.frontend.contexts+forward";

/// The result of a build on a node.
pub(crate) struct Solved {
    /// The values that the exporters reported.
    pub(crate) response: BTreeMap<String, String>,
    /// Documents about the sources and steps of the build, by their keys in the metadata.
    pub(crate) provenance: BTreeMap<String, Value>,
    /// The reason why the status was interrupted, if it was, and why the metadata is incomplete.
    pub(crate) warnings: Vec<String>,
}

/// Builds on one node, and waits until the results for the client are delivered. `reference` is the name of
/// the build on the daemon.
///
/// # Errors
///
/// Returns the first error. Result files do not exist in this case, or are unchanged.
pub(crate) async fn solve(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    reference: &str,
    status: &StatusSender,
) -> Result<Solved, BuildError> {
    let Connected { client, workers } = node.node.connect(status).await?;
    if node.exports.len() > 1 {
        let are_supported = several_outputs::are_supported(&client, &workers).await;
        if !are_supported.map_err(BuilderError::BuildKit)? {
            return Err(BuildError::SeveralOutputs);
        }
    }
    let attestations = attestations(spec, node, &client, &workers).await?;
    lifecycle::touch(workspace, &plan.builder)?;
    local_state::save(workspace, spec, plan, node, reference)?;

    let mut request = request(spec, plan, node);
    request.reference = reference.to_owned();
    request.frontend_attrs.extend(attestations);
    let session = session(workspace, &plan.source)?;
    let mut session = caches::attach(session, &plan.caches)?;
    for layout in plan.layouts.values() {
        let (id, store) = layout.store()?;
        session = session.content_store(id, store);
    }
    let has_several_manifests = node.platforms.len() > 1 || spec.attestations.is_any();
    let mut deliveries = Deliveries::new(workspace, has_several_manifests, status);
    for export in &node.exports {
        request.exporters.push(deliveries.open(export).await?);
    }
    let session = deliveries.attach(session).build();
    let solved = client
        .solve(request, session, status.clone(), workspace.cancel.clone())
        .await;
    let solved = match solved {
        Ok(solved) => solved,
        Err(error) => return Err(deliveries.give_up(error).await),
    };
    let mut response = solved.exporter_response;
    deliveries.choose_id(&mut response);
    deliveries.complete(&response).await?;
    let mut warnings: Vec<_> = solved.status_failure.into_iter().collect();
    warnings.extend(caches::complete(&plan.caches, &response).await?);
    let provenance = match provenance(spec, &client, reference, status).await {
        Ok(provenance) => provenance,
        // The build succeeded.
        Err(error) => {
            warnings.push(format!("cannot read the provenance of the result: {error}"));
            BTreeMap::new()
        }
    };
    Ok(Solved {
        response,
        provenance,
        warnings,
    })
}

/// Returns the options of the frontend that request attestations.
///
/// # Errors
///
/// Returns an error if attestations are requested that the daemon does not support.
async fn attestations(
    spec: &BuildSpec,
    node: &NodePlan,
    client: &Client,
    workers: &[Worker],
) -> Result<BTreeMap<String, String>, BuildError> {
    let is_any = spec.attestations.is_any();
    let may_have_default = node.has_attestations && spec.default_attestations;
    if !is_any && !may_have_default {
        return Ok(BTreeMap::new());
    }
    let are_supported = several_outputs::has_attestations(client, workers).await;
    let are_supported = are_supported.map_err(BuilderError::BuildKit)?;
    if is_any && !are_supported {
        return Err(BuildError::Attestations);
    }
    Ok(spec.attestations.options(may_have_default && are_supported))
}

/// Returns the documents about the sources and steps of a build for its metadata.
async fn provenance(
    spec: &BuildSpec,
    client: &Client,
    reference: &str,
    status: &StatusSender,
) -> Result<BTreeMap<String, Value>, iechor_buildkit::Error> {
    let mode = match &spec.metadata_file {
        Some(file) if file.provenance != ProvenanceMode::Disabled => file.provenance,
        _ => return Ok(BTreeMap::new()),
    };
    let title = "resolving provenance for metadata file";
    let (vertex, forwarder) = Vertex::begin(title, status.clone());
    let documents = client.provenance(reference).await;
    vertex.end(match &documents {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    drop(vertex);
    forwarder.finish().await;
    Ok(provenance_values(documents?, mode))
}

/// Returns the request, without exporters.
fn request(spec: &BuildSpec, plan: &Plan, node: &NodePlan) -> SolveRequest {
    let mut request = SolveRequest::dockerfile();
    request.frontend_attrs = frontend::attributes(
        spec,
        &plan.source,
        &OfNode {
            platforms: &node.platforms,
            proxies: &node.proxies,
            prefers_local_images: node.prefers_local_images,
        },
    );
    for (name, layout) in &plan.layouts {
        let attributes = &mut request.frontend_attrs;
        attributes.insert(format!("context:{name}"), layout.attribute());
        attributes.insert("frontend.caps".into(), NAMED_CONTEXTS.into());
    }
    request.cache_imports = plan.caches.imports.iter().map(cache_entry).collect();
    request.cache_exports = plan.caches.exports.iter().map(cache_entry).collect();
    request
}

fn cache_entry(cache: &Cache) -> CacheEntry {
    CacheEntry {
        kind: cache.kind.name().to_owned(),
        attrs: cache.attributes.clone(),
    }
}

/// Returns the session with the services that the daemon may use.
fn session(workspace: &Workspace, source: &Source) -> Result<SessionBuilder, BuildError> {
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
    Ok(session)
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
