//! Which node solves what. Everything that can be checked before a daemon is asked is checked here.

mod abilities;
mod check;
pub mod error;
pub mod exports;
mod nodes;
pub mod source;

use iechor_builder::Workspace;
use iechor_builder::node::LiveNode;
use iechor_builder::store::NodeGroup;
use iechor_platform::Platform;

pub use abilities::Abilities;
pub use error::PlanError;
pub use exports::{Delivery, Export};
pub use source::Source;

use crate::error::BuildError;
use crate::spec::{BuildSpec, Tag};
use nodes::Share;

/// A build that was found to be in order, shared out to the nodes of a builder.
pub struct Plan {
    /// The builder.
    pub(crate) builder: NodeGroup,
    /// The files of the build.
    pub(crate) source: Source,
    /// What each node does; at least one.
    pub(crate) nodes: Vec<NodePlan>,
    /// What the user should know before the build.
    pub warnings: Vec<Warning>,
}

/// What one node does.
pub(crate) struct NodePlan {
    /// The node.
    pub(crate) node: LiveNode,
    /// The platforms that it builds for; empty for its own.
    pub(crate) platforms: Vec<Platform>,
    /// The proxies of its steps, as build arguments where the build sets none of that name.
    pub(crate) proxies: Vec<(String, String)>,
    /// Whether images of the engine take precedence over those of registries.
    pub(crate) prefers_local_images: bool,
    /// What BuildKit exports.
    pub(crate) exports: Vec<Export>,
}

/// What the user should know about a build before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The driver would have the result loaded into the engine, but that was not granted.
    LoadDenied {
        /// The driver.
        driver: String,
        /// Why not.
        reason: String,
    },
    /// The result stays in the cache of the build.
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
/// What is wrong with the build, or which node cannot be used.
pub async fn plan(workspace: &Workspace, spec: &BuildSpec) -> Result<Plan, BuildError> {
    let source = Source::find(&spec.context, spec.dockerfile.as_deref())?;
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
    Ok(NodePlan {
        exports: exports::exports(spec, platforms.len(), &abilities, loads)?,
        proxies: proxies(workspace, &node)?,
        // Images that were built into the engine come first, as its users expect.
        prefers_local_images: abilities.moby_exporter,
        platforms,
        node,
    })
}

/// Returns the proxies that the user has configured for the engine of a node. A node without an
/// engine has those of the current one.
fn proxies(workspace: &Workspace, node: &LiveNode) -> Result<Vec<(String, String)>, BuildError> {
    let endpoint = match node.engine() {
        Some(engine) => engine.endpoint().to_owned(),
        None => workspace.current_endpoint()?.host.to_string(),
    };
    Ok(workspace.config.proxies(&endpoint))
}
