//! Connections to the BuildKit of a builder for other programs.

use std::time::{Duration, SystemTime};

pub use iechor_engine::BoxByteStream as Stream;
use iechor_progress::vertex::{Forwarder, Vertex};

use crate::boot_progress::StatusSender;
use crate::error::BuilderError;
use crate::lifecycle::{self, Ask};
use crate::node::LiveNode;
use crate::store::{Node, NodeGroup, Platform};
use crate::workspace::Workspace;

/// Time that each node has to name its platforms.
const ANSWER: Duration = Duration::from_secs(20);

/// A connection to the BuildKit of a node.
pub struct Connection {
    /// The bytes of BuildKit's gRPC.
    pub stream: Stream,
    /// The vertex that shows the connection.
    pub shown: Shown,
}

/// The vertex of a connection.
pub struct Shown {
    vertex: Vertex,
    forwarder: Forwarder,
}

impl Shown {
    fn begin(status: &StatusSender) -> Self {
        let (vertex, forwarder) = Vertex::begin("Proxying to builder", status.clone());
        Self { vertex, forwarder }
    }

    /// Ends the vertex, and waits until everything was passed on.
    pub async fn end(self, outcome: Result<(), String>) {
        self.vertex.end(outcome);
        drop(self.vertex);
        self.forwarder.finish().await;
    }
}

impl Connection {
    /// Connects to the node for a platform: one that declares it, otherwise one whose BuildKit supports it,
    /// otherwise the first. Boots the node if it does not run.
    ///
    /// # Errors
    ///
    /// If the builder has no nodes, or its node cannot be reached or booted.
    pub async fn open(
        workspace: &Workspace,
        group: &NodeGroup,
        platform: Option<&Platform>,
        status: &StatusSender,
    ) -> Result<Self, BuilderError> {
        let node = choose(workspace, group, platform).await?;
        let shown = Shown::begin(status);
        let begun = SystemTime::now();
        shown.vertex.work("Dialing builder", begun, false);
        let opened = async {
            let live = LiveNode::open(workspace, group, node).await?;
            live.open_stream(status).await
        };
        match opened.await {
            Ok(stream) => {
                shown.vertex.work("Dialing builder", begun, true);
                Ok(Self { stream, shown })
            }
            Err(error) => {
                shown.end(Err(error.to_string())).await;
                Err(error)
            }
        }
    }
}

async fn choose<'a>(
    workspace: &Workspace,
    group: &'a NodeGroup,
    platform: Option<&Platform>,
) -> Result<&'a Node, BuilderError> {
    let Some(first) = group.nodes.first() else {
        return Err(BuilderError::NoNodes);
    };
    let Some(platform) = platform.filter(|_| group.nodes.len() > 1) else {
        return Ok(first);
    };
    let declares = |node: &&Node| node.platforms.contains(platform);
    if let Some(node) = group.nodes.iter().find(declares) {
        return Ok(node);
    }
    let reports = lifecycle::report(workspace, group, Ask::DriverIfKnown, ANSWER).await;
    let supports = reports.iter().position(|report| {
        let workers = report.state.iter().flat_map(|state| &state.workers);
        let mut platforms = workers.flat_map(|worker| &worker.platforms);
        platforms.any(|supported| supported == platform)
    });
    Ok(supports.map_or(first, |index| &group.nodes[index]))
}
