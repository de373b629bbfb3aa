//! Assigns a build to nodes, and performs all checks that need no daemon.

mod abilities;
pub mod caches;
mod check;
pub mod error;
pub mod exports;
pub mod layout;
mod nodes;
pub mod source;

use std::collections::BTreeMap;

use iechor_builder::Workspace;
use iechor_builder::node::LiveNode;
use iechor_builder::store::NodeGroup;
use iechor_platform::Platform;

pub use abilities::Abilities;
pub use caches::{Caches, LocalCacheProblem};
pub use error::PlanError;
pub use exports::{Delivery, Export};
pub use layout::FoundLayout;
pub use source::Source;

use crate::error::BuildError;
use crate::spec::{BuildSpec, Tag};
use nodes::Share;

/// A checked build that is assigned to the nodes of a builder.
pub struct Plan {
    /// The builder.
    pub(crate) builder: NodeGroup,
    /// The files of the build.
    pub(crate) source: Source,
    /// The named contexts that are images in OCI layouts, by name.
    pub(crate) layouts: BTreeMap<String, FoundLayout>,
    /// The caches of the build.
    pub(crate) caches: Caches,
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
    /// A local cache is not imported.
    LocalCache {
        /// The directory.
        directory: String,
        /// The cause.
        problem: LocalCacheProblem,
    },
    /// The cache of GitHub Actions is not used, because this is not a run of a workflow.
    GhaCache {
        /// Whether there is a token.
        has_token: bool,
        /// Whether there is an address.
        has_url: bool,
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
    let source = Source::find(&spec.context, spec.dockerfile.as_deref())?;
    let layouts = layout::find(&spec.oci_layouts)?;
    let builder = workspace.builder(None)?;
    let shares = nodes::share(&builder.nodes, &spec.platforms);
    if shares.is_empty() {
        return Err(PlanError::NoNodes {
            builder: builder.name,
        }
        .into());
    }
    let mut warnings = Vec::new();
    let caches = Caches::find(spec, &mut warnings);
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
        layouts,
        caches,
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
    abilities.check_caches(spec)?;
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
