//! Runs a build on one node: session, request, status.

mod caches;
mod capabilities;
mod entitlements;
mod files;
mod frontend;
mod guard;
mod local_state;
mod missing;
mod remote;
mod shared_key;
mod steps;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use iechor_builder::node::Connected;
use iechor_builder::{BuilderError, Workspace, lifecycle};
use iechor_buildkit::{
    CacheEntry, Client, FrontendResult, Session, SessionBuilder, SolveRequest, Worker,
};
use iechor_platform::Platform;
use iechor_progress::vertex::{StatusSender, Vertex};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::credentials::DockerCredentials;
use crate::deliver::Deliveries;
use crate::deliver::metadata::provenance_values;
use crate::error::BuildError;
use crate::plan::entitlements::of_build;
use crate::plan::{NodePlan, Plan};
use crate::shown::Shown;
use crate::spec::{BuildSpec, Cache, Entitlement, ProvenanceMode};
use files::Prepared;
use frontend::OfNode;
use guard::Failure;

/// The result of a build on a node.
pub(crate) struct Solved {
    /// The answer to the call of the build: metadata of the frontend.
    pub(crate) answer: BTreeMap<String, String>,
    /// The values that the exporters reported.
    pub(crate) response: BTreeMap<String, String>,
    /// Documents about the sources and steps of the build, by their keys in the metadata.
    pub(crate) provenance: BTreeMap<String, Value>,
    /// The reason why the status was interrupted, if it was, and why the metadata is incomplete.
    pub(crate) warnings: Vec<String>,
}

/// The part of a build on one node.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) node: &'a NodePlan,
    /// The name of the build on the daemon.
    pub(crate) reference: &'a str,
    pub(crate) shown: &'a Shown<'a>,
    pub(crate) cancel: &'a CancellationToken,
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
    job: Job<'_>,
    connected: Connected,
) -> Result<Solved, BuildError> {
    let Job {
        node,
        reference,
        shown,
        cancel,
    } = job;
    let status = shown.status();
    let Connected { client, workers } = connected;
    let watch = node.node.watch().await;
    if node.exports.len() > 1 {
        let are_supported = capabilities::has_several_outputs(&client).await;
        if !are_supported.map_err(BuilderError::BuildKit)? {
            return Err(BuildError::SeveralOutputs);
        }
    }
    let attestations = attestations(spec, node, &client, &workers).await?;
    lifecycle::touch(workspace, &plan.builder)?;
    if spec.call.is_none() {
        local_state::save(workspace, spec, plan, node, reference)?;
    }

    let files = files::prepare(&plan.source, workspace.store.directory())?;
    let (mut request, entitlements) = request(spec, plan, node, &files);
    let name = &node.node.name;
    entitlements::check(&client, watch.as_ref(), cancel, name, &entitlements).await?;
    let left_out = capabilities::leave_out_caches(&client, name, &mut request).await;
    let mut warnings = left_out.map_err(BuilderError::BuildKit)?;
    request.reference = reference.to_owned();
    request.frontend_attrs.extend(attestations);
    let session = session(workspace, spec, plan, files, status);
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
    let (sender, forwarder) = shown.open();
    let mut of_frontend = request.of_frontend();
    remote::add_contexts(&mut of_frontend, &plan.source.named);
    let build = client.build(
        request,
        session,
        sender,
        cancel.clone(),
        |gateway| async move {
            remote::fetch(&gateway, &plan.source.dockerfile).await?;
            work::run(gateway, of_frontend).await
        },
    );
    let solved = guard::guarded(&client, watch.as_ref(), build).await;
    forwarder.finish().await;
    let solved = match solved {
        Ok(solved) => solved,
        Err(Failure { error, incident }) => {
            let missing = missing::explain(&error, &plan.source);
            return Err(match (deliveries.give_up(error).await, incident) {
                (BuildError::Solve(_), Some(incident)) => BuildError::Lost { incident },
                (error, _) => error.because_of(missing),
            });
        }
    };
    let mut response = solved.exporter_response;
    deliveries.choose_id(&mut response);
    deliveries.complete(&response).await?;
    warnings.extend(solved.status_failure);
    warnings.extend(caches::complete(&plan.caches, &response).await?);
    let provenance = match provenance(spec, &client, reference, status).await {
        Ok(provenance) => provenance,
        // The build succeeded.
        Err(error) => {
            warnings.push(format!("cannot read the provenance of the result: {error}"));
            BTreeMap::new()
        }
    };
    let provenance = match node.platforms.as_slice() {
        [platform] if node.is_one_of_several => of_platform(provenance, platform),
        _ => provenance,
    };
    Ok(Solved {
        answer: answer(spec, solved.result.as_ref()),
        response,
        provenance,
        warnings,
    })
}

/// Returns the answer to the call of a build: the metadata of the frontend's result, as text.
fn answer(spec: &BuildSpec, result: Option<&FrontendResult>) -> BTreeMap<String, String> {
    let Some(result) = result.filter(|_| spec.call.is_some()) else {
        return BTreeMap::new();
    };
    let metadata = result.metadata().iter();
    metadata
        .map(|(key, value)| (key.clone(), String::from_utf8_lossy(value).into_owned()))
        .collect()
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
    let are_supported = capabilities::has_attestations(client, workers).await;
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
        Some(file) if spec.call.is_none() && file.provenance != ProvenanceMode::Disabled => {
            file.provenance
        }
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

/// Names the platform of a document in its key, as for a build for several platforms.
fn of_platform(documents: BTreeMap<String, Value>, platform: &Platform) -> BTreeMap<String, Value> {
    let documents = documents.into_iter().map(|(key, document)| {
        let key = match key.contains('/') {
            true => key,
            false => format!("{key}/{platform}"),
        };
        (key, document)
    });
    documents.collect()
}

/// Returns the request, without exporters, and its entitlements.
fn request(
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    files: &Prepared,
) -> (SolveRequest, Vec<Entitlement>) {
    let (frontend, of_frontend) = work::frontend(spec);
    let mut frontend_attrs = frontend::attributes(
        spec,
        files,
        &plan.vcs,
        &OfNode {
            platforms: &node.platforms,
            proxies: &node.proxies,
            prefers_local_images: node.prefers_local_images,
            host_gateway: node.host_gateway,
            is_one_of_several: node.is_one_of_several,
        },
    );
    for (name, layout) in &plan.layouts {
        let name = format!("context:{name}");
        frontend_attrs.insert(name, layout.attribute());
    }
    frontend_attrs.extend(of_frontend);
    if let Some(call) = &spec.call {
        work::add_call(&mut frontend_attrs, call);
    }
    let entitlements = of_build(spec);
    let request = SolveRequest {
        frontend: frontend.to_owned(),
        frontend_attrs,
        cache_imports: plan.caches.imports.iter().map(cache_entry).collect(),
        cache_exports: plan.caches.exports.iter().map(cache_entry).collect(),
        entitlements: entitlements.iter().map(Entitlement::to_string).collect(),
        internal: spec.call.is_some(),
        ..SolveRequest::default()
    };
    (request, entitlements)
}

fn cache_entry(cache: &Cache) -> CacheEntry {
    CacheEntry {
        kind: cache.kind.name().to_owned(),
        attrs: cache.attributes.clone(),
    }
}

/// Returns the session with the services that the daemon may use.
fn session(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    files: Prepared,
    status: &StatusSender,
) -> SessionBuilder {
    let credentials = DockerCredentials::new(workspace, spec.fetch_tokens, status);
    let mut session = Session::builder().credentials(Arc::new(credentials));
    if !plan.secrets.is_empty() {
        session = session.secrets(plan.secrets.clone());
    }
    if !plan.ssh_agents.is_empty() {
        session = session.ssh_agents(plan.ssh_agents.clone());
    }
    files.offer(session, &plan.source, &plan.large)
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
