//! Assigns a build to nodes, and performs all checks that need no daemon.

mod abilities;
pub mod caches;
mod check;
pub(crate) mod dockerfile;
pub mod error;
pub mod exports;
pub mod large;
pub mod layout;
mod nodes;
mod pieces;
mod secrets;
pub mod source;
mod ssh;
mod stdin;
mod vcs;
mod zstd;

use std::collections::BTreeMap;

use iechor_builder::node::LiveNode;
use iechor_builder::store::NodeGroup;
use iechor_builder::{BuilderError, Workspace};
use iechor_buildkit::session::secrets::Secrets;
use iechor_buildkit::session::ssh::Agents;
use iechor_platform::Platform;

pub use abilities::Abilities;
pub use caches::{Caches, LocalCacheProblem};
pub use error::PlanError;
pub use exports::{Delivery, Export};
pub use layout::FoundLayout;
pub use source::Source;
pub(crate) use vcs::Vcs;

use crate::error::BuildError;
use crate::spec::{BuildSpec, SpecError, Tag};
use large::LargeContexts;
use nodes::Share;
use source::Files;

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
    /// Information about the version of the files.
    pub(crate) vcs: Vcs,
    /// Large contexts, which are noted while they are sent.
    pub(crate) large: LargeContexts,
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
    /// The version of the sources could not be read.
    NoVcs {
        /// The cause.
        reason: String,
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

    /// Returns the large contexts of the build. They are known after they have been sent.
    pub fn large_contexts(&self) -> LargeContexts {
        self.large.clone()
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
    let found = async {
        let secrets = secrets::find(&spec.secrets).await?;
        let ssh_agents = ssh::find(&spec.ssh_agents).await?;
        let (source, vcs) = files(spec).await?;
        Ok::<_, BuildError>((secrets, ssh_agents, source, vcs))
    };
    let (secrets, ssh_agents, source, vcs) = tokio::select! {
        found = found => found?,
        // Reading standard input, or a pipe with a secret, may take any time.
        () = workspace.cancel.cancelled() => return Err(BuilderError::Cancelled("the build").into()),
    };
    let layouts = layout::find(&spec.named_contexts)?;
    let builder = workspace.builder(None)?;
    let shares = nodes::share(&builder.nodes, &spec.platforms);
    if shares.is_empty() {
        return Err(PlanError::NoNodes {
            builder: builder.name,
        }
        .into());
    }
    if let Files::Archive(archive) = &source.context {
        archive.share(shares.len());
    }
    let mut warnings = Vec::new();
    let vcs = vcs.unwrap_or_else(|reason| {
        warnings.push(Warning::NoVcs { reason });
        Vcs::default()
    });
    let caches = Caches::find(spec, &mut warnings);
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
        vcs,
        large: LargeContexts::default(),
        layouts,
        caches,
        nodes,
        warnings,
    })
}

/// Finds the files, and the version of the sources or the reason why it cannot be read.
async fn files(spec: &BuildSpec) -> Result<(Source, Result<Vcs, String>), PlanError> {
    let source = Source::find(spec).await?;
    let vcs = vcs::read(spec.vcs, &source).await;
    Ok((source, vcs))
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
