//! Operations on builders after their creation: status, boot, stop and removal.

mod removal;
mod removal_lock;

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use iechor_buildkit::Worker;
use iechor_engine::EngineErrorKind;
use iechor_sandbox::DriverError;
use iechor_sandbox::contract::{Descriptor, Error, Feature, Status};

use crate::boot_progress::StatusSender;
use crate::error::BuilderError;
use crate::leftovers;
use crate::node::LiveNode;
use crate::node::watch::IncidentKind;
use crate::remembered::{self, Said};
use crate::store::{Node, NodeGroup};
use crate::workspace::Workspace;

pub use removal::{RemoveRequest, remove, remove_unlisted};
pub(crate) use removal::{check_idle, remove_node};

/// The state of a node, with its configuration.
#[derive(Debug)]
pub struct NodeReport {
    /// The node as it is stored.
    pub node: Node,
    /// Its options. The value of a secret option is `None`.
    pub options: Vec<(String, Option<String>)>,
    /// Its state, or the reason why it is unknown.
    pub state: Result<NodeState, BuilderError>,
}

/// The state of a node.
#[derive(Debug)]
pub struct NodeState {
    /// The status that the driver reports.
    pub status: Status,
    /// The version of BuildKit, if it runs.
    pub version: Option<String>,
    /// Its workers, if BuildKit runs.
    pub workers: Vec<Worker>,
    /// What builds may ask of it, if that was asked for.
    pub features: Vec<Feature>,
    /// How its last run ended, if it is stopped and that was asked for.
    pub end: Option<IncidentKind>,
}

impl NodeState {
    /// Returns the state of a node whose BuildKit does not answer.
    fn without_daemon(status: Status) -> Self {
        Self {
            status,
            version: None,
            workers: Vec::new(),
            features: Vec::new(),
            end: None,
        }
    }

    /// Returns whether the node does not run, and is not about to.
    pub fn is_inactive(&self) -> bool {
        matches!(self.status, Status::Inactive | Status::Stopped)
    }
}

/// The source of the state of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// BuildKit itself.
    Daemon,
    /// Only the driver, if BuildKit's version and platforms are known from an earlier query of the
    /// same run.
    DriverIfKnown,
}

/// Returns the state of all nodes of a builder. Asks all nodes at the same time.
pub async fn report(
    workspace: &Workspace,
    group: &NodeGroup,
    ask: Ask,
    limit: Duration,
) -> Vec<NodeReport> {
    let secrets = Secrets::of(workspace, group).await;
    let secrets = &secrets;
    join_all(group.nodes.iter().map(|node| async move {
        let state = match tokio::time::timeout(limit, state(workspace, group, node, ask)).await {
            Ok(state) => state,
            Err(_) => Err(BuilderError::TimedOut {
                what: format!("node {} at {}", node.name, node.endpoint),
                seconds: limit.as_secs(),
            }),
        };
        NodeReport {
            node: node.clone(),
            options: secrets.shown(node),
            state: unless_starting(workspace, group, node, state),
        }
    }))
    .await
}

/// Returns the state of a node, which starts if it does not answer yet and another process boots it.
fn unless_starting(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    state: Result<NodeState, BuilderError>,
) -> Result<NodeState, BuilderError> {
    let may_start = match &state {
        Ok(state) => state.status != Status::Running || state.workers.is_empty(),
        Err(error) => error.engine_failure() != Some(EngineErrorKind::Unreachable),
    };
    if may_start
        && workspace
            .store
            .is_booting(&group.name, &node.name, &node.endpoint)
    {
        return Ok(NodeState::without_daemon(Status::Starting));
    }
    state
}

/// The description of a builder's driver, for its options. `None` if no node has options, or the
/// driver does not describe itself.
struct Secrets(Option<Descriptor>);

impl Secrets {
    async fn of(workspace: &Workspace, group: &NodeGroup) -> Self {
        if group.nodes.iter().all(|node| node.driver_opts.is_empty()) {
            return Self(None);
        }
        let Ok(loaded) = workspace.catalog.load(&group.driver).await else {
            return Self(None);
        };
        Self(loaded.driver.descriptor().await.ok().cloned())
    }

    /// Returns the options of a node without the values of secret ones. An option that the driver
    /// does not describe may be secret.
    fn shown(&self, node: &Node) -> Vec<(String, Option<String>)> {
        let is_shown = |name: &str| {
            self.0
                .as_ref()
                .and_then(|descriptor| descriptor.option(name))
                .is_some_and(|option| !option.secret)
        };
        let options = node.driver_opts.iter();
        options
            .map(|(name, value)| (name.clone(), is_shown(name).then(|| value.clone())))
            .collect()
    }
}

async fn state(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    ask: Ask,
) -> Result<NodeState, BuilderError> {
    let live = LiveNode::open(workspace, group, node).await?;
    let features = match ask {
        Ask::Daemon => live.features().await?,
        Ask::DriverIfKnown => Vec::new(),
    };
    let not_running = async |status| NodeState {
        end: match (ask, status) {
            (Ask::Daemon, Status::Stopped) => live.end_of_run().await,
            _ => None,
        },
        features: features.clone(),
        ..NodeState::without_daemon(status)
    };
    let run = match ask {
        Ask::Daemon => None,
        Ask::DriverIfKnown => {
            let info = live.info().await?;
            if info.status != Status::Running {
                return Ok(not_running(info.status).await);
            }
            info.run
        }
    };
    if let Some(said) = run
        .as_deref()
        .and_then(|run| remembered::recall(&node.endpoint, run))
    {
        return Ok(NodeState {
            status: Status::Running,
            workers: said.workers(),
            version: Some(said.version),
            features,
            end: None,
        });
    }
    // A connection tells everything; ask the engine for the reason only if there is none.
    let connected = match live.connect_running().await {
        Ok(Some(connected)) => connected,
        Ok(None) => return Ok(not_running(live.info().await?.status).await),
        // A daemon that does not belong to the driver may not run; this is a state, not a failure.
        Err(
            error @ BuilderError::Driver(DriverError::Failed {
                error: Error::Unavailable(_),
                ..
            }),
        ) => {
            return match live.info().await?.status {
                Status::Running => Err(error),
                status => Ok(not_running(status).await),
            };
        }
        Err(error) => return Err(error),
    };
    let said = connected
        .workers
        .iter()
        .filter_map(|worker| worker.version.clone())
        .find(|version| !version.version.is_empty());
    let version = match said {
        Some(version) => Some(version),
        None => connected.client.version().await?,
    };
    let version = match version {
        Some(version) => version.version,
        // BuildKit before 0.11 does not report its version.
        None => live.version().await?,
    };
    // Without workers it is not ready yet, so its answers may change.
    if let Some(run) = run
        && !connected.workers.is_empty()
    {
        let said = Said::new(version.clone(), &connected.workers);
        remembered::remember(&node.endpoint, &run, &said);
    }
    Ok(NodeState {
        status: Status::Running,
        version: Some(version),
        workers: connected.workers,
        features,
        end: None,
    })
}

/// Boots the nodes of a builder that do not run.
///
/// # Errors
///
/// The first failure; the nodes after it are not booted.
pub async fn boot(
    workspace: &Workspace,
    group: &NodeGroup,
    status: &StatusSender,
) -> Result<(), BuilderError> {
    for node in &group.nodes {
        LiveNode::open(workspace, group, node)
            .await?
            .connect(status)
            .await?;
    }
    Ok(())
}

/// Stops the nodes of a builder, and removes the objects that interrupted boots left. The engine of each
/// node has to answer within `limit`; stopping may take longer.
///
/// # Errors
///
/// All failures. A failure does not keep the other nodes from being stopped.
pub async fn stop(
    workspace: &Workspace,
    group: &NodeGroup,
    limit: Duration,
) -> Result<(), BuilderError> {
    let settled = leftovers::settle_builder(workspace, &group.name, false).await;
    let stopped = join_all(group.nodes.iter().map(|node| async {
        let live = LiveNode::open(workspace, group, node).await?;
        if let Some(engine) = live.engine() {
            workspace.check_engine(engine.as_ref(), limit).await?;
        }
        live.stop().await
    }))
    .await;
    let stopped = gather(group, stopped, "stop");
    BuilderError::all(settled.err().into_iter().chain(stopped.err())).map_or(Ok(()), Err)
}

/// Records that a builder was used.
///
/// # Errors
///
/// If the store cannot be written.
pub fn touch(workspace: &Workspace, group: &NodeGroup) -> Result<(), BuilderError> {
    Ok(workspace
        .store
        .lock()?
        .touch(&group.name, SystemTime::now())?)
}

/// Returns the failures of all nodes of a builder. If there are several, each one names its node.
pub(crate) fn gather(
    group: &NodeGroup,
    results: Vec<Result<(), BuilderError>>,
    action: &'static str,
) -> Result<(), BuilderError> {
    gather_of(&group.nodes, results, action)
}

/// Returns the failures of some nodes of a builder, like [`gather`].
pub(crate) fn gather_of<'a>(
    nodes: impl IntoIterator<Item = &'a Node>,
    results: Vec<Result<(), BuilderError>>,
    action: &'static str,
) -> Result<(), BuilderError> {
    let failures: Vec<_> = nodes
        .into_iter()
        .zip(results)
        .filter_map(|(node, result)| Some((node, result.err()?)))
        .collect();
    let is_one = failures.len() == 1;
    let failures = failures.into_iter().map(|(node, error)| match is_one {
        true => error,
        false => BuilderError::Node {
            action,
            node: node.name.clone(),
            error: Box::new(error),
        },
    });
    BuilderError::all(failures).map_or(Ok(()), Err)
}
