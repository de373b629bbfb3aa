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
pub(crate) mod nodes;
mod open;
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
pub(crate) use open::OpenNode;
pub use source::Source;
pub(crate) use vcs::Vcs;

use crate::deliver::result_files;
use crate::error::{BuildError, Mistakes};
use crate::setting::Setting;
use crate::spec::{BuildSpec, Context, Dockerfile, SpecError};
use large::LargeContexts;

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
    /// The nodes of the builder, or the reasons why they cannot be used; at least one.
    pub(crate) nodes: Vec<Result<OpenNode, BuilderError>>,
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
    /// Whether the node builds into the image store of its engine.
    pub(crate) builds_into_engine: bool,
    /// Whether other nodes build other parts.
    pub(crate) is_one_of_several: bool,
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
    if builder.nodes.is_empty() {
        return Err(PlanError::NoNodes {
            builder: builder.name,
        }
        .into());
    }
    let mut warnings = Vec::new();
    let vcs = vcs.unwrap_or_else(|reason| {
        warnings.push(Warning::NoVcs { reason });
        Vcs::default()
    });
    let caches = Caches::find(spec, &mut warnings);
    let nodes = open_nodes(workspace, spec, &builder, &mut warnings).await?;
    let mut is_exported = false;
    for node in nodes.iter().flatten() {
        // Which of several nodes builds for which platforms is not known yet.
        let most = if nodes.len() == 1 { usize::MAX } else { 1 };
        is_exported |= !node
            .exports(spec, spec.platforms.len().min(most))?
            .is_empty();
    }
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

/// Opens the nodes of a builder. One of several nodes need not be usable, as long as no part of the build depends on it.
async fn open_nodes(
    workspace: &Workspace,
    spec: &BuildSpec,
    builder: &NodeGroup,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Result<OpenNode, BuilderError>>, BuildError> {
    let is_only = builder.nodes.len() == 1;
    let mut nodes = Vec::new();
    for node in &builder.nodes {
        let opened = OpenNode::open(workspace, spec, builder, node, warnings).await;
        nodes.push(match opened {
            Ok(open) => {
                // Another node may be the one that allows them. BuildKit is asked before the build in any case.
                if is_only {
                    entitlements::check(spec, node, &open.node).await?;
                }
                Ok(open)
            }
            Err(BuildError::Builder(error) | BuildError::HostGateway(error))
                if !is_only && !error.is_cancelled() =>
            {
                Err(*error)
            }
            Err(error) => return Err(error),
        });
    }
    Ok(nodes)
}
