//! Assigns a build to nodes, and performs all checks that need no daemon.

mod abilities;
pub mod caches;
mod check;
mod destinations;
pub(crate) mod dockerfile;
pub(crate) mod entitlements;
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
use std::net::IpAddr;

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

use crate::deliver::result_files;
use crate::error::{BuildError, Mistakes};
use crate::setting::Setting;
use crate::spec::{BuildSpec, Context, Dockerfile, SpecError, Tag};
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
    /// The address of the host machine, if the build needs it.
    pub(crate) host_gateway: Option<IpAddr>,
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

/// Plans a build on the selected builder, and removes the ID of an earlier image. `mistakes` are those that were
/// found in the settings so far.
///
/// # Errors
///
/// Returns all mistakes in the settings, or the node that cannot be used.
pub async fn plan(
    workspace: &Workspace,
    spec: &BuildSpec,
    mistakes: Mistakes,
) -> Result<Plan, BuildError> {
    let checked = check_all(workspace, spec, mistakes, true).await?;
    result_files::forget_image_id(spec)?;
    let Checked {
        builder,
        source,
        vcs,
        secrets,
        ssh_agents,
        layouts,
    } = checked;
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

/// What was found while the settings were checked.
struct Checked {
    builder: NodeGroup,
    source: Source,
    /// The version of the sources, or the reason why it cannot be read.
    vcs: Result<Vcs, String>,
    secrets: Secrets,
    ssh_agents: Agents,
    layouts: BTreeMap<String, FoundLayout>,
}

/// Checks the settings of a build that does not start, because there is a mistake already: adds those
/// that are found without a daemon, without a driver and without standard input.
///
/// # Errors
///
/// Returns all mistakes: `mistakes`, and those found here.
pub async fn check_settings(
    workspace: &Workspace,
    spec: &BuildSpec,
    mistakes: Mistakes,
) -> Result<(), BuildError> {
    let checked = check_all(workspace, spec, mistakes, false);
    checked.await.map(drop)
}

/// Checks the settings against the machine, without a daemon and without a driver. Returns what was
/// found on the way.
///
/// A check of another setting is one more `note` here, see [`Mistakes`].
///
/// # Errors
///
/// Returns all mistakes: `mistakes`, and those found here.
async fn check_all(
    workspace: &Workspace,
    spec: &BuildSpec,
    mut mistakes: Mistakes,
    starts: bool,
) -> Result<Checked, BuildError> {
    let syntax = spec.build_args.get("BUILDKIT_SYNTAX");
    if syntax.is_some_and(|syntax| syntax.trim().is_empty()) {
        mistakes.note::<(), _>(Setting::BuildArg, Err(SpecError::EmptySyntax));
    }
    let mut further = Mistakes::default();
    let layouts = note(&mut further, layout::find(&spec.named_contexts));
    for error in exports::mistakes(spec) {
        // A tag that could not be read is one.
        if error != PlanError::NoTag || !mistakes.has(Setting::Tag) {
            note(&mut further, Err::<(), _>(error));
        }
    }
    result_files::check(spec, &mut further);
    let builder = further.note(Setting::Builder, workspace.builder(None));
    let found = async {
        let secrets = note(&mut mistakes, secrets::find(&spec.secrets).await);
        let ssh_agents = note(&mut mistakes, ssh::find(&spec.ssh_agents).await);
        // Nobody types a Dockerfile for a build that does not start.
        let may_read = starts && mistakes.is_empty() && further.is_empty();
        // A context that could not be read is a placeholder.
        let is_given = !mistakes.has(Setting::Context) && !mistakes.has(Setting::File);
        let files = match is_given && (may_read || !reads_stdin(spec)) {
            true => note(&mut mistakes, files(spec).await),
            false => None,
        };
        (secrets, ssh_agents, files)
    };
    let (secrets, ssh_agents, files) = tokio::select! {
        found = found => found,
        // Reading standard input, or a pipe with a secret, may take any time.
        () = workspace.cancel.cancelled() => return Err(BuilderError::Cancelled("the build").into()),
    };
    mistakes.append(further);
    match (builder, files, secrets, ssh_agents, layouts) {
        (Some(builder), Some((source, vcs)), Some(secrets), Some(ssh_agents), Some(layouts))
            if mistakes.is_empty() =>
        {
            Ok(Checked {
                builder,
                source,
                vcs,
                secrets,
                ssh_agents,
                layouts,
            })
        }
        _ => Err(BuildError::Mistakes(mistakes)),
    }
}

/// Notes the fault of a plan under the setting that has it.
fn note<T>(mistakes: &mut Mistakes, found: Result<T, PlanError>) -> Option<T> {
    let setting = found
        .as_ref()
        .err()
        .map_or(Setting::Context, PlanError::setting);
    mistakes.note(setting, found)
}

fn reads_stdin(spec: &BuildSpec) -> bool {
    spec.context == Context::StandardInput || spec.dockerfile == Dockerfile::StandardInput
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
    let stored = &builder.nodes[node];
    let node = LiveNode::open(workspace, builder, stored).await?;
    entitlements::check(spec, stored, &node).await?;
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
    let host_gateway = match spec.steps.need_host_gateway() {
        true => Some(host_gateway(&node).await?),
        false => None,
    };
    let mut exports = exports::exports(spec, platforms.len(), &abilities, loads)?;
    if spec.call.is_some() {
        // A call has no result.
        exports.clear();
    }
    Ok(NodePlan {
        host_gateway,
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
