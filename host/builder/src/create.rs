//! Creates builders, and changes their nodes.
//!
//! - `change` is the change to a node that a request describes, and `driver` the driver for it.
//! - `again` recognises a request that changes nothing.
//! - `names` checks that the name of a node is free.
//! - `saving` writes the result to the store, unless another process changed the builder meanwhile.

mod again;
mod change;
mod driver;
mod names;
mod saving;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use iechor_catalog::{CatalogError, Grant};

use crate::boot_progress::StatusSender;
use crate::error::BuilderError;
use crate::leftovers;
use crate::name::{self, Name};
use crate::node::LiveNode;
use crate::selection::UseRequest;
use crate::store::{Changed, NodeGroup, StoreState};
use crate::workspace::Workspace;

/// Maximum time to repeat an edit that other processes overtake. One of the processes succeeds each
/// time, so that this is enough for hundreds of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request to create a builder, or to change a node of one.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    /// Name of the builder; `None`: a random one.
    pub name: Option<String>,
    /// Name of the node to change or add.
    pub node: Option<String>,
    /// Add a node to a builder that has some.
    pub append: bool,
    /// The driver, see [`iechor_catalog::reference`].
    pub driver: Option<String>,
    /// Options for the driver, each `key=value,...`.
    pub driver_options: Vec<String>,
    /// Capabilities to grant to the driver.
    pub grants: Vec<Grant>,
    /// The engine: an endpoint or the name of a context. For a driver that uses no engine, the
    /// endpoint of BuildKit.
    pub endpoint: Option<String>,
    /// The variable `BUILDKIT_HOST`: the endpoint for the driver `remote`, if no driver and no
    /// endpoint is named.
    pub buildkit_host: Option<String>,
    /// Platforms of the node.
    pub platforms: Vec<String>,
    /// Path of the daemon's configuration.
    pub buildkitd_config: Option<PathBuf>,
    /// Arguments for the daemon.
    pub buildkitd_flags: Option<String>,
    /// Make the builder the current one.
    pub use_it: bool,
    /// Boot the node.
    pub bootstrap: bool,
}

/// The result of [`create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The builder's name.
    pub name: String,
    /// The builder was as requested already, so that nothing was changed.
    pub is_unchanged: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Creates a builder, or changes a node of one. Everything is checked before anything is saved. A
/// new builder that cannot be booted is not kept, unless objects of it are left in the engine.
///
/// The store is not locked while an engine or a driver is asked. If another process changes the
/// builder meanwhile, the edit is repeated with the builder as it is then.
///
/// # Errors
///
/// If the request is invalid, or an operation fails. The store is unchanged, except after
/// [`BuilderError::Incomplete`].
pub async fn create(
    workspace: &Workspace,
    request: CreateRequest,
    status: &StatusSender,
) -> Result<Created, BuilderError> {
    let begun = Instant::now();
    loop {
        match attempt(workspace, &request, status).await {
            Err(BuilderError::Raced) if begun.elapsed() < PATIENCE => {}
            result => return result,
        }
    }
}

async fn attempt(
    workspace: &Workspace,
    request: &CreateRequest,
    status: &StatusSender,
) -> Result<Created, BuilderError> {
    let state = workspace.store.read()?;
    let name = choose_name(workspace, &state, request)?;
    let existing = match state.builder(name.as_str()) {
        Ok(stored) => stored.map(|stored| stored.group.clone()),
        Err(broken) => return Err(broken.clone().into()),
    };
    let existing = finish_earlier(workspace, &name, existing, request).await?;
    if existing.is_none() && request.append {
        return Err(BuilderError::NothingToAppendTo {
            name: name.to_string(),
        });
    }

    let request = driver::with_buildkit_host(existing.as_ref(), request.clone());
    let policy = workspace.catalog.policy()?;
    if let Some(group) = &existing
        && request.node.is_none()
        && !request.append
    {
        return match again::created(workspace, &policy, group, &request).await {
            true => unchanged(workspace, group, 0, &request, status).await,
            false => Err(BuilderError::Exists {
                name: group.name.clone(),
                node: group
                    .nodes
                    .first()
                    .map(|node| node.name.clone())
                    .unwrap_or_default(),
            }),
        };
    }
    let driver = driver::choose_driver(&policy, existing.as_ref(), &request).await?;
    let mut group = existing
        .clone()
        .unwrap_or_else(|| NodeGroup::new(&name, &driver));
    let mut loaded = workspace.catalog.load(&driver).await?;
    let descriptor = loaded.driver.descriptor().await?;
    policy
        .check_requests(loaded.driver.name(), &descriptor.capabilities)
        .map_err(CatalogError::from)?;
    let change = change::of_request(workspace, existing.as_ref(), &request, &loaded.driver).await?;
    if let Some(group) = &existing
        && let Some(index) = again::appended(group, &change)
    {
        return unchanged(workspace, group, index, &request, status).await;
    }
    let changed = group.change(change)?;
    if changed.added {
        driver::check_nodes(descriptor, &group)?;
    }

    let has_grants = again::has_grants(&loaded, &request);
    loaded.trust(&request.grants).await?;
    group.driver_digest = loaded.own_digest().map(str::to_owned);
    if existing.as_ref() == Some(&group) && has_grants {
        return unchanged(workspace, &group, changed.index, &request, status).await;
    }
    let mut node = LiveNode::with(workspace, &group, &group.nodes[changed.index], &loaded).await?;
    if existing.is_none() {
        node = node.of_new_builder();
    }
    // Report an endpoint where nothing answers now rather than at the first build.
    if let Some(engine) = node.engine() {
        workspace.engine_info(engine.as_ref()).await?;
        let node = &group.nodes[changed.index];
        let check = names::check(workspace, &state, engine.as_ref(), &group.name, node);
        workspace
            .unless_cancelled("asking the engine", check)
            .await?;
    }
    let mut warnings: Vec<String> = node
        .warnings
        .iter()
        .map(|issue| match &issue.subject {
            Some(subject) => format!("option {subject}: {}", issue.message),
            None => issue.message.clone(),
        })
        .collect();
    warnings.extend(remarks(&changed));
    if loaded.driver.uses_engine()
        && let Some(before) = existing
            .as_ref()
            .and_then(|group| group.node(&changed.node))
    {
        let now = &group.nodes[changed.index];
        warnings.extend(names::left_at(workspace, &group.name, before, now).await);
    }

    let given = saving::save(
        workspace,
        &group,
        &group.nodes[changed.index],
        existing.as_ref(),
        &loaded,
        &request.grants,
    )?;
    if request.bootstrap
        && let Err(error) = node.boot(status).await
    {
        // Objects that are left in the engine need a builder to remove them with.
        let is_kept = existing.is_none() && matches!(error, BuilderError::Incomplete { .. });
        saving::restore(workspace, &group, &changed.node, existing.as_ref(), is_kept)?;
        saving::take_back(workspace, &loaded, &given)?;
        return Err(error);
    }
    use_it(workspace, &group, &request)?;
    Ok(Created {
        name: group.name,
        is_unchanged: false,
        warnings,
    })
}

/// Does the rest of a request that changes nothing.
async fn unchanged(
    workspace: &Workspace,
    group: &NodeGroup,
    index: usize,
    request: &CreateRequest,
    status: &StatusSender,
) -> Result<Created, BuilderError> {
    if request.bootstrap
        && let Some(node) = group.nodes.get(index)
    {
        let node = LiveNode::open(workspace, group, node).await?;
        node.connect(status).await?;
    }
    use_it(workspace, group, request)?;
    Ok(Created {
        name: group.name.clone(),
        is_unchanged: true,
        warnings: Vec::new(),
    })
}

fn use_it(
    workspace: &Workspace,
    group: &NodeGroup,
    request: &CreateRequest,
) -> Result<(), BuilderError> {
    if !request.use_it {
        return Ok(());
    }
    workspace.choose(&UseRequest {
        name: &group.name,
        ..UseRequest::default()
    })
}

fn choose_name(
    workspace: &Workspace,
    state: &StoreState,
    request: &CreateRequest,
) -> Result<Name, BuilderError> {
    let taken = |candidate: &str| {
        state
            .builders()
            .any(|(name, _)| name.eq_ignore_ascii_case(candidate))
    };
    match request.name.as_deref().filter(|name| !name.is_empty()) {
        None if request.append => Err(BuilderError::AppendWithoutName),
        None => Ok(name::generate(&mut rand::rng(), taken)?),
        Some(text) => {
            let name = Name::for_new_builder(text)?;
            let is_context = workspace.with_surroundings(|surroundings| {
                Ok::<_, BuilderError>(surroundings.contexts.iter().any(|context| context == text))
            })?;
            if is_context && !taken(text) {
                return Err(BuilderError::NameOfContext {
                    name: text.to_owned(),
                });
            }
            Ok(name)
        }
    }
}

fn remarks(changed: &Changed) -> Vec<String> {
    let mut remarks = Vec::new();
    if changed.restart_needed {
        remarks.push("new settings may not be used until builder is restarted".into());
    }
    for (node, platform) in &changed.taken_over {
        remarks.push(format!("node {node} no longer builds for {platform}"));
    }
    remarks
}

/// Removes the objects that earlier boots of the builder, or of the node that is to be changed, left.
/// Also removes a builder that exists only because of these objects, if it is to be created again.
async fn finish_earlier(
    workspace: &Workspace,
    name: &Name,
    existing: Option<NodeGroup>,
    request: &CreateRequest,
) -> Result<Option<NodeGroup>, BuilderError> {
    // What is left of other nodes does not concern this edit.
    if let (Some(_), Some(node)) = (&existing, &request.node) {
        leftovers::settle_node(workspace, name.as_str(), node).await?;
        return Ok(existing);
    }
    if existing.is_some() && request.append {
        return Ok(existing);
    }
    let settled = leftovers::settle_builder(workspace, name.as_str(), false).await?;
    let Some(group) = existing else {
        return Ok(None);
    };
    if !settled.iter().any(|record| record.purpose.is_new) {
        return Ok(Some(group));
    }
    saving::remove(workspace, &group)?;
    Ok(None)
}
