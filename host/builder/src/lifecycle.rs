//! The life of builders after they are created: status, boot, stop and removal.

mod removal;

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use iechor_buildkit::Worker;
use iechor_sandbox::DriverError;
use iechor_sandbox::contract::{Descriptor, Error, Status};

use crate::boot_progress::StatusSender;
use crate::error::BuilderError;
use crate::leftovers;
use crate::node::LiveNode;
use crate::remembered::{self, Said};
use crate::store::{Node, NodeGroup};
use crate::workspace::Workspace;

pub use removal::{RemoveRequest, remove, remove_unlisted};

/// The state of a node, with its configuration.
#[derive(Debug)]
pub struct NodeReport {
    /// The node as it is stored.
    pub node: Node,
    /// Its options; `None` is the value of one that is not to be shown.
    pub options: Vec<(String, Option<String>)>,
    /// Its state, or why it is not known.
    pub state: Result<NodeState, BuilderError>,
}

/// The state of a node.
#[derive(Debug)]
pub struct NodeState {
    /// The status that the driver reports.
    pub status: Status,
    /// The version of BuildKit, where it runs.
    pub version: Option<String>,
    /// Its workers, where it runs.
    pub workers: Vec<Worker>,
}

impl NodeState {
    /// Returns whether the node does not run, and is not about to.
    pub fn is_inactive(&self) -> bool {
        matches!(self.status, Status::Inactive | Status::Stopped)
    }
}

/// What to ask about the state of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// BuildKit itself.
    Daemon,
    /// The driver alone, where BuildKit's version and platforms are known from the same run of it.
    DriverIfKnown,
}

/// Returns the state of all nodes of a builder, which are asked at the same time.
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
                what: format!("node {}", node.name),
                seconds: limit.as_secs(),
            }),
        };
        NodeReport {
            node: node.clone(),
            options: secrets.shown(node),
            state,
        }
    }))
    .await
}

/// What the driver of a builder says about its options, asked once for all nodes; `None` if no node
/// has options, or the driver cannot be asked.
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

    /// Returns the options of a node without what its driver calls secret. Where the driver cannot
    /// be asked everything may be one, and so may be what it does not know any more.
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
    let not_running = |status| NodeState {
        status,
        version: None,
        workers: Vec::new(),
    };
    let run = match ask {
        Ask::Daemon => None,
        Ask::DriverIfKnown => {
            let info = live.info().await?;
            if info.status != Status::Running {
                return Ok(not_running(info.status));
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
        });
    }
    // A connection says all at once; only where there is none is the engine asked why.
    let connected = match live.connect_running().await {
        Ok(Some(connected)) => connected,
        Ok(None) => return Ok(not_running(live.info().await?.status)),
        // Of a daemon that is not the driver's that is no fault, but how it is.
        Err(
            error @ BuilderError::Driver(DriverError::Failed {
                error: Error::Unavailable(_),
                ..
            }),
        ) => {
            return match live.info().await?.status {
                Status::Running => Err(error),
                status => Ok(not_running(status)),
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
        // Older than 0.11: BuildKit cannot be asked.
        None => live.version().await?,
    };
    // Without workers it is not ready, which is no lasting truth.
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
    })
}

/// Boots the nodes of a builder that do not run.
///
/// # Errors
///
/// The first failure.
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

/// Stops the nodes of a builder, and removes what interrupted boots of it left.
///
/// # Errors
///
/// Every failure; the other nodes are stopped all the same.
pub async fn stop(workspace: &Workspace, group: &NodeGroup) -> Result<(), BuilderError> {
    let settled = leftovers::settle_builder(workspace, &group.name, false).await;
    let stopped = join_all(
        group
            .nodes
            .iter()
            .map(|node| async { LiveNode::open(workspace, group, node).await?.stop().await }),
    )
    .await;
    gather(group, stopped, "stop")?;
    settled.map(drop)
}

/// Records that a builder was used.
///
/// # Errors
///
/// Where the store cannot be written.
pub fn touch(workspace: &Workspace, group: &NodeGroup) -> Result<(), BuilderError> {
    Ok(workspace
        .store
        .lock()?
        .touch(&group.name, SystemTime::now())?)
}

fn gather(
    group: &NodeGroup,
    results: Vec<Result<(), BuilderError>>,
    action: &'static str,
) -> Result<(), BuilderError> {
    let mut failures: Vec<_> = group
        .nodes
        .iter()
        .zip(results)
        .filter_map(|(node, result)| result.err().map(|error| (node.name.clone(), error)))
        .collect();
    // A user who cancelled is told that, whatever else failed.
    if let Some(given_up) = failures.iter().position(|(_, error)| error.is_cancelled()) {
        return Err(failures.remove(given_up).1);
    }
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0).1),
        _ => Err(BuilderError::Several { action, failures }),
    }
}
