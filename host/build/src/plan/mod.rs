//! Assigns a build to nodes, and performs all checks that need no daemon.

mod abilities;
mod check;
pub mod error;
pub mod exports;
mod nodes;
mod secrets;
pub mod source;
mod ssh;

use iechor_builder::node::LiveNode;
use iechor_builder::store::NodeGroup;
use iechor_builder::{BuilderError, Workspace};
use iechor_buildkit::session::secrets::Secrets;
use iechor_buildkit::session::ssh::Agents;
use iechor_platform::Platform;

pub use abilities::Abilities;
pub use error::PlanError;
pub use exports::{Delivery, Export};
pub use source::Source;

use crate::error::BuildError;
use crate::spec::{BuildSpec, SpecError, Tag};
use nodes::Share;

/// A checked build that is assigned to the nodes of a builder.
pub struct Plan {
    /// The builder.
    pub(crate) builder: NodeGroup,
    /// The files of the build.
    pub(crate) source: Source,
    /// The secrets that the build may read.
    pub(crate) secrets: Secrets,
    /// The SSH agents that the build may use.
    pub(crate) ssh_agents: Agents,
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
    /// Whether the driver supports attestations.
    pub(crate) has_attestations: bool,
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

/// Plans a build on the selected builder.
///
/// # Errors
///
/// Returns the fault of the build, or the node that cannot be used.
pub async fn plan(workspace: &Workspace, spec: &BuildSpec) -> Result<Plan, BuildError> {
    let syntax = spec.build_args.get("BUILDKIT_SYNTAX");
    if syntax.is_some_and(|syntax| syntax.trim().is_empty()) {
        return Err(SpecError::EmptySyntax.into());
    }
    let source = Source::find(&spec.context, spec.dockerfile.as_deref())?;
    // A pipe with a secret may not come to its end.
    let sensitive = async {
        let secrets = secrets::find(&spec.secrets).await?;
        Ok::<_, PlanError>((secrets, ssh::find(&spec.ssh_agents).await?))
    };
    let (secrets, ssh_agents) = tokio::select! {
        found = sensitive => found?,
        () = workspace.cancel.cancelled() => return Err(BuilderError::Cancelled("the build").into()),
    };
    let builder = workspace.builder(None)?;
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
    if spec.call.is_none() && !is_exported && spec.exporters.is_empty() && spec.default_load {
        warnings.push(Warning::NoOutput {
            driver: builder.driver.clone(),
        });
    }
    Ok(Plan {
        builder,
        source,
        secrets,
        ssh_agents,
        nodes,
        warnings,
    })
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
    let may_load = spec.default_load && spec.call.is_none();
    if abilities.default_load && may_load && spec.exporters.is_empty() {
        let names: Vec<String> = spec.tags.iter().map(Tag::to_string).collect();
        match node.may_load(&names) {
            Ok(()) => loads = true,
            Err(denial) => warnings.push(Warning::LoadDenied {
                driver: builder.driver.clone(),
                reason: denial.detail(),
            }),
        }
    }
    let mut exports = exports::exports(spec, platforms.len(), &abilities, loads)?;
    if spec.call.is_some() {
        // A call has no result.
        exports.clear();
    }
    Ok(NodePlan {
        exports,
        proxies: proxies(workspace, &node)?,
        // Images that were built into the engine take precedence, as users expect.
        prefers_local_images: abilities.moby_exporter,
        // An image with attestations has several manifests.
        has_attestations: abilities.multi_platform,
        platforms,
        node,
    })
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
