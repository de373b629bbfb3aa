//! The change to a node that a request describes.

use iechor_sandbox::Driver;
use iechor_sandbox::contract::Descriptor;

use super::{CreateRequest, driver};
use crate::error::BuilderError;
use crate::store::{NodeChange, NodeGroup, Platform};
use crate::workspace::Workspace;
use crate::{buildkitd_config, buildkitd_flags, driver_options};

/// Returns the change to a node that a request describes. Reads the files that it names.
///
/// # Errors
///
/// If a setting of the request is invalid.
pub(super) async fn of_request(
    workspace: &Workspace,
    existing: Option<&NodeGroup>,
    request: &CreateRequest,
    driver: &Driver,
) -> Result<NodeChange, BuilderError> {
    let mut change = node_change(workspace, existing, request, driver)?;
    if let Some(options) = &mut change.driver_opts {
        let descriptor: &Descriptor = driver.descriptor().await?;
        driver::make_files_absolute(descriptor, options)?;
    }
    Ok(change)
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
        (None, None) => Some(current_endpoint(workspace)?),
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

/// Returns the current endpoint, for a builder that keeps it. TLS settings of the environment belong
/// to this process, so that a builder cannot keep them.
fn current_endpoint(workspace: &Workspace) -> Result<String, BuilderError> {
    let endpoint = workspace.current_endpoint()?;
    if endpoint.name.is_none() && endpoint.tls.is_some() {
        return Err(BuilderError::TlsOfEnvironment);
    }
    Ok(endpoint.key())
}
