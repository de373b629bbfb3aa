//! Creates builders, and changes their nodes.

mod driver;
mod names;

use std::path::PathBuf;

use iechor_catalog::{CatalogError, Grant, Loaded};
use iechor_sandbox::Driver;

use crate::boot_progress::StatusSender;
use crate::driver_options;
use crate::error::BuilderError;
use crate::leftovers;
use crate::name::{self, Name};
use crate::node::LiveNode;
use crate::selection::UseRequest;
use crate::store::{Changed, Node, NodeChange, NodeGroup, Platform, StoreState};
use crate::workspace::Workspace;
use crate::{buildkitd_config, buildkitd_flags};

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
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Creates a builder, or changes a node of one. Everything is checked before anything is saved. A
/// new builder that cannot be booted is not kept, unless objects of it are left in the engine.
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
    let state = workspace.store.read()?;
    let name = choose_name(workspace, &state, &request)?;
    let existing = match state.builder(name.as_str()) {
        Ok(stored) => stored.map(|stored| stored.group.clone()),
        Err(broken) => return Err(broken.clone().into()),
    };
    let existing = finish_earlier(workspace, &name, existing, &request).await?;
    if let Some(group) = &existing
        && request.node.is_none()
        && !request.append
    {
        return Err(BuilderError::Exists {
            name: group.name.clone(),
            node: group
                .nodes
                .first()
                .map(|node| node.name.clone())
                .unwrap_or_default(),
        });
    }
    if existing.is_none() && request.append {
        return Err(BuilderError::NothingToAppendTo {
            name: name.to_string(),
        });
    }

    let request = driver::with_buildkit_host(existing.as_ref(), request);
    let policy = workspace.catalog.policy()?;
    let driver = driver::choose_driver(&policy, existing.as_ref(), &request).await?;
    let mut group = existing
        .clone()
        .unwrap_or_else(|| NodeGroup::new(&name, &driver));
    let mut loaded = workspace.catalog.load(&driver).await?;
    let descriptor = loaded.driver.descriptor().await?;
    policy
        .check_requests(loaded.driver.name(), &descriptor.capabilities)
        .map_err(CatalogError::from)?;
    let mut change = node_change(workspace, existing.as_ref(), &request, &loaded.driver)?;
    if let Some(options) = &mut change.driver_opts {
        driver::make_files_absolute(descriptor, options)?;
    }
    let changed = group.change(change)?;
    if changed.added {
        driver::check_nodes(descriptor, &group)?;
    }

    loaded.trust(&request.grants).await?;
    group.driver_digest = loaded.own_digest().map(str::to_owned);
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

    let given = save(
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
        restore(workspace, &group, existing.as_ref(), is_kept)?;
        take_back(workspace, &loaded, &given)?;
        return Err(error);
    }
    if request.use_it {
        workspace.choose(&UseRequest {
            name: name.as_str(),
            ..UseRequest::default()
        })?;
    }
    Ok(Created {
        name: group.name,
        warnings,
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

fn node_change(
    workspace: &Workspace,
    existing: Option<&NodeGroup>,
    request: &CreateRequest,
    driver: &Driver,
) -> Result<NodeChange, BuilderError> {
    let known = existing
        .zip(request.node.as_deref())
        .and_then(|(group, node)| group.node(node));
    let endpoint = match (&request.endpoint, known) {
        // The endpoint of BuildKit, which the driver checks.
        (endpoint, None) if !driver.uses_engine() => Some(endpoint.clone().unwrap_or_default()),
        (Some(endpoint), _) if !driver.uses_engine() => Some(endpoint.clone()),
        (Some(endpoint), _) => {
            // Check now that the endpoint exists; it is stored as the user wrote it.
            let found = iechor_engine::endpoint::by_name(
                endpoint,
                &workspace.environment,
                &workspace.config,
            )?;
            Some(found.key())
        }
        (None, Some(_)) => None,
        (None, None) => Some(workspace.current_endpoint()?.key()),
    };
    let driver_options = match request.driver_options.as_slice() {
        [] => None,
        values => Some(driver_options::parse(values)?),
    };
    // The defaults apply to a daemon that the builder starts, and to a new node: other changes of a
    // node leave its configuration as it is.
    let config_path = match &request.buildkitd_config {
        None if !driver.uses_engine() || known.is_some() => None,
        path => buildkitd_config::find(path.as_deref(), workspace.store.directory()),
    };
    let configuration = match config_path {
        None => None,
        Some(path) => {
            let directory = std::env::current_dir().map_err(|source| BuilderError::File {
                what: "current directory",
                path: ".".into(),
                source,
            })?;
            Some(buildkitd_config::load(&path, &directory)?)
        }
    };
    let network = driver_options
        .as_ref()
        .or(known.map(|node| &node.driver_opts))
        .and_then(|options| options.get("network"));
    let on_host_network = network.is_some_and(|network| network == "host");
    let configured: &[String] = configuration
        .as_ref()
        .map_or(&[], |files| &files.insecure_entitlements);
    let flags = match (&request.buildkitd_flags, known) {
        // Other changes leave the arguments as they are, unless the network requires more.
        (None, None) if !driver.uses_engine() => None,
        (None, Some(known)) => on_host_network.then(|| {
            buildkitd_flags::with_default_entitlements(known.flags.clone(), true, configured)
        }),
        (flags, _) => Some(buildkitd_flags::with_default_entitlements(
            buildkitd_flags::split(flags.as_deref().unwrap_or_default())?,
            on_host_network,
            configured,
        )),
    };
    Ok(NodeChange {
        node: request.node.clone(),
        append: request.append,
        endpoint,
        platforms: match request.platforms.as_slice() {
            [] => None,
            platforms => Some(Platform::parse_list(platforms)?),
        },
        flags,
        driver_opts: driver_options,
        files: configuration.map(|configuration| configuration.files),
    })
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

/// Saves the builder and the grants of its driver. Returns the grants that are new.
fn save(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    expected: Option<&NodeGroup>,
    loaded: &Loaded,
    grants: &[Grant],
) -> Result<Vec<Grant>, BuilderError> {
    let mut transaction = workspace.store.lock()?;
    unchanged(
        transaction
            .builder(&group.name)?
            .map(|stored| stored.group)
            .as_ref(),
        expected,
    )?;
    // Another builder may have got such a node since the first check.
    if loaded.driver.uses_engine() {
        names::check_stored(workspace, &transaction.state()?, &group.name, node)?;
    }
    let catalog = &workspace.catalog;
    let given = catalog.give(loaded, transaction.files(), grants)?;
    if let Err(error) = transaction.save(group) {
        catalog.take_back(loaded, transaction.files(), &given)?;
        return Err(error.into());
    }
    Ok(given)
}

/// Restores the builder in the store, unless another process changed it in the meantime.
fn restore(
    workspace: &Workspace,
    group: &NodeGroup,
    before: Option<&NodeGroup>,
    is_kept: bool,
) -> Result<(), BuilderError> {
    let mut transaction = workspace.store.lock()?;
    let now = transaction.builder(&group.name)?.map(|stored| stored.group);
    match before {
        _ if now.as_ref() != Some(group) => {}
        Some(before) => transaction.save(before)?,
        None if is_kept => {}
        None => transaction.remove(&group.name)?,
    }
    Ok(())
}

fn take_back(workspace: &Workspace, loaded: &Loaded, given: &[Grant]) -> Result<(), BuilderError> {
    let transaction = workspace.store.lock()?;
    let catalog = &workspace.catalog;
    Ok(catalog.take_back(loaded, transaction.files(), given)?)
}

/// Removes the objects that earlier boots of the builder left. Also removes a builder that exists
/// only because of these objects, if it is to be created again.
async fn finish_earlier(
    workspace: &Workspace,
    name: &Name,
    existing: Option<NodeGroup>,
    request: &CreateRequest,
) -> Result<Option<NodeGroup>, BuilderError> {
    let settled = leftovers::settle_builder(workspace, name.as_str(), false).await?;
    let is_again = request.node.is_none() && !request.append;
    let Some(group) = existing else {
        return Ok(None);
    };
    if !is_again || !settled.iter().any(|record| record.purpose.is_new) {
        return Ok(Some(group));
    }
    restore(workspace, &group, None, false)?;
    Ok(None)
}

fn unchanged(found: Option<&NodeGroup>, expected: Option<&NodeGroup>) -> Result<(), BuilderError> {
    if found == expected {
        return Ok(());
    }
    Err(BuilderError::Raced)
}
