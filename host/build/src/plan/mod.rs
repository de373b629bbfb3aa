//! Assigns a build to nodes, and performs all checks that need no daemon.

mod abilities;
mod check;
pub mod error;
pub mod exports;
mod nodes;
pub mod source;

use std::net::IpAddr;

use iechor_builder::Workspace;
use iechor_builder::node::LiveNode;
use iechor_builder::store::NodeGroup;
use iechor_platform::Platform;

pub use abilities::Abilities;
pub use error::PlanError;
pub use exports::{Delivery, Export};
pub use source::Source;

use crate::error::{BuildError, Mistakes};
use crate::setting::Setting;
use crate::spec::{BuildSpec, Tag};
use nodes::Share;

/// A checked build that is assigned to the nodes of a builder.
pub struct Plan {
    /// The builder.
    pub(crate) builder: NodeGroup,
    /// The files of the build.
    pub(crate) source: Source,
    /// The parts of the nodes; at least one.
    pub(crate) nodes: Vec<NodePlan>,
    /// Warnings to display before the build.
    pub warnings: Vec<Warning>,
}

/// The part of one node.
pub(crate) struct NodePlan {
    /// The node.
    pub(crate) node: LiveNode,
    /// The platforms to build for; empty for the platform of the node.
    pub(crate) platforms: Vec<Platform>,
    /// Proxy settings of the steps. They become build arguments unless the build sets the same names.
    pub(crate) proxies: Vec<(String, String)>,
    /// Whether images of the engine take precedence over images of registries.
    pub(crate) prefers_local_images: bool,
    /// The address of the host machine, if the build needs it.
    pub(crate) host_gateway: Option<IpAddr>,
    /// The exports of BuildKit.
    pub(crate) exports: Vec<Export>,
}

/// A warning about a build that is displayed before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The driver loads results into the engine by default, but that was not granted.
    LoadDenied {
        /// The driver.
        driver: String,
        /// The reason of the denial.
        reason: String,
    },
    /// The result stays in the build cache only.
    NoOutput {
        /// The driver.
        driver: String,
    },
}

impl Plan {
    /// Returns the names of the builder and of its driver.
    pub fn builder(&self) -> (&str, &str) {
        (&self.builder.name, &self.builder.driver)
    }
}

/// Plans a build on the selected builder. `mistakes` are those that were found in the settings so far.
///
/// # Errors
///
/// Returns all mistakes in the settings, or the node that cannot be used.
pub async fn plan(
    workspace: &Workspace,
    spec: &BuildSpec,
    mistakes: Mistakes,
) -> Result<Plan, BuildError> {
    let (source, builder) = check_settings(workspace, spec, mistakes)?;
    let shares = nodes::share(&builder.nodes, &spec.platforms);
    if shares.is_empty() {
        return Err(PlanError::NoNodes {
            builder: builder.name,
        }
        .into());
    }
    let mut warnings = Vec::new();
    let mut nodes = Vec::new();
    for share in shares {
        nodes.push(plan_node(workspace, spec, &builder, share, &mut warnings).await?);
    }
    let is_exported = nodes.iter().any(|node| !node.exports.is_empty());
    if !is_exported && spec.exporters.is_empty() && spec.default_load {
        warnings.push(Warning::NoOutput {
            driver: builder.driver.clone(),
        });
    }
    Ok(Plan {
        builder,
        source,
        nodes,
        warnings,
    })
}

/// Checks the settings against the machine, without a daemon and without a driver. Returns what was
/// found on the way: the source and the builder.
///
/// A check of another setting is one more `note` here, see [`Mistakes`].
///
/// # Errors
///
/// Returns all mistakes: `mistakes`, and those found here.
pub fn check_settings(
    workspace: &Workspace,
    spec: &BuildSpec,
    mut mistakes: Mistakes,
) -> Result<(Source, NodeGroup), BuildError> {
    let mut source = None;
    // A context that could not be read is a placeholder, and a wrong Dockerfile is missing.
    if !mistakes.has(Setting::Context) && !mistakes.has(Setting::File) {
        let found = Source::find(&spec.context, spec.dockerfile.as_deref());
        let setting = found
            .as_ref()
            .err()
            .map_or(Setting::File, PlanError::setting);
        source = mistakes.note(setting, found);
    }
    for error in exports::mistakes(spec) {
        // A tag that could not be read is one.
        if error != PlanError::NoTag || !mistakes.has(Setting::Tag) {
            mistakes.note::<(), _>(error.setting(), Err(error));
        }
    }
    let builder = mistakes.note(Setting::Builder, workspace.builder(None));
    match (source, builder) {
        (Some(source), Some(builder)) if mistakes.is_empty() => Ok((source, builder)),
        _ => Err(BuildError::Mistakes(mistakes)),
    }
}

async fn plan_node(
    workspace: &Workspace,
    spec: &BuildSpec,
    builder: &NodeGroup,
    share: Share,
    warnings: &mut Vec<Warning>,
) -> Result<NodePlan, BuildError> {
    let Share { node, platforms } = share;
    let node = LiveNode::open(workspace, builder, &builder.nodes[node]).await?;
    let abilities = Abilities::new(&builder.driver, &node.features().await?);
    let mut loads = false;
    if abilities.default_load && spec.default_load && spec.exporters.is_empty() {
        let names: Vec<String> = spec.tags.iter().map(Tag::to_string).collect();
        match node.may_load(&names) {
            Ok(()) => loads = true,
            Err(denial) => warnings.push(Warning::LoadDenied {
                driver: builder.driver.clone(),
                reason: denial.detail(),
            }),
        }
    }
    let host_gateway = match spec.steps.need_host_gateway() {
        true => Some(host_gateway(&node).await?),
        false => None,
    };
    Ok(NodePlan {
        host_gateway,
        exports: exports::exports(spec, platforms.len(), &abilities, loads)?,
        proxies: proxies(workspace, &node)?,
        // Images that were built into the engine take precedence, as users expect.
        prefers_local_images: abilities.moby_exporter,
        platforms,
        node,
    })
}

async fn host_gateway(node: &LiveNode) -> Result<IpAddr, BuildError> {
    let address = node.host_gateway().await;
    address.map_err(|error| BuildError::HostGateway(Box::new(error)))
}

/// Returns the proxies that the user has configured for the engine of a node. A node without an engine
/// uses the proxies of the current engine.
fn proxies(workspace: &Workspace, node: &LiveNode) -> Result<Vec<(String, String)>, BuildError> {
    let endpoint = match node.engine() {
        Some(engine) => engine.endpoint().to_owned(),
        None => workspace.current_endpoint()?.host.to_string(),
    };
    Ok(workspace.config.proxies(&endpoint))
}
