//! The cache of a builder: its records, and their removal.

pub(crate) mod filter;

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use iechor_buildkit::{PruneRequest, UsageRecord};
use iechor_sandbox::contract::Status;
use tokio::sync::mpsc;

use crate::boot_progress::StatusSender;
use crate::error::BuilderError;
use crate::leftovers;
use crate::lifecycle::{gather, gather_of};
use crate::node::{Connected, LiveNode};
use crate::store::{Node, NodeGroup};
use crate::view::CacheRecord;
use crate::workspace::Workspace;

pub use filter::{CacheFilter, FilterError};

/// The capability of a BuildKit that limits the used and the free space.
const SPACE_LIMITS: &str = "gc.freespacefilter";

/// Records that wait to be shown, for each removal.
const WAITING: usize = 64;

/// The builder whose cache is used.
#[derive(Clone, Copy)]
pub struct Caches<'a> {
    /// The context of the command.
    pub workspace: &'a Workspace,
    /// The builder.
    pub group: &'a NodeGroup,
    /// Time that the engine of each node has to answer. A boot, and the work of BuildKit, may take longer.
    pub limit: Duration,
    /// Shows boots.
    pub status: &'a StatusSender,
}

/// The cache of a builder.
#[derive(Debug)]
pub struct CacheUsage {
    /// The records of the nodes that answered, by node.
    pub records: Vec<CacheRecord>,
    /// The nodes that do not exist in their engine and have no cache there.
    pub absent: Vec<String>,
    /// Why there are no records of the other nodes.
    pub failure: Option<BuilderError>,
}

/// Records to remove. The default is all that no build can use any more.
#[derive(Debug, Clone, Default)]
pub struct Unwanted {
    /// The records.
    pub filter: CacheFilter,
    /// Include internal records and images of frontends.
    pub all: bool,
    /// Space that the cache may always use, in bytes; zero for none.
    pub reserved_space: u64,
    /// Maximum space that the cache may use, in bytes; zero for no limit.
    pub max_used_space: u64,
    /// Disk space that is free afterwards, in bytes; zero for no goal.
    pub min_free_space: u64,
}

impl Caches<'_> {
    /// Returns the records of all nodes. Asks all nodes at the same time, and boots those that are stopped.
    pub async fn usage(self, filter: &CacheFilter) -> CacheUsage {
        let asked = join_all(self.group.nodes.iter().map(|node| async move {
            let Some(Connected { client, .. }) = self.reach(node).await? else {
                return Ok(None);
            };
            let buildkit = format!("BuildKit of node {}", node.name);
            let _wait = iechor_waiting::begin(buildkit, "list its cache");
            let found = client.disk_usage(filter.conditions()).await?;
            Ok::<_, BuilderError>(Some(unused(found, filter.unused_for)))
        }))
        .await;
        let mut usage = CacheUsage {
            records: Vec::new(),
            absent: Vec::new(),
            failure: None,
        };
        let mut outcomes = Vec::new();
        for (node, answer) in self.group.nodes.iter().zip(asked) {
            let outcome = answer.map(|records| match records {
                None => usage.absent.push(node.name.clone()),
                Some(records) => {
                    let records = records.into_iter();
                    let of_node = records.map(|record| CacheRecord::of(&node.name, record));
                    usage.records.extend(of_node);
                }
            });
            outcomes.push(outcome);
        }
        usage.failure = gather(self.group, outcomes, "get the disk usage of").err();
        usage
    }

    /// Removes records of all nodes, at the same time, and calls `removed` with each. Boots nodes that are
    /// stopped. Returns the nodes that do not exist in their engine and have no cache there.
    ///
    /// # Errors
    ///
    /// If a node cannot be reached, or does not support the request: nothing is removed. If a removal fails.
    pub async fn prune(
        self,
        unwanted: &Unwanted,
        removed: impl FnMut(CacheRecord),
    ) -> Result<Vec<String>, BuilderError> {
        let reached = join_all(self.group.nodes.iter().map(|node| async move {
            let reached = self.reach(node).await?;
            if let Some(reached) = &reached {
                check(reached, unwanted).await?;
            }
            Ok(reached)
        }))
        .await;
        let (mut connected, mut absent, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for (node, answer) in self.group.nodes.iter().zip(reached) {
            outcomes.push(answer.map(|answer| match answer {
                Some(reached) => connected.push((node, reached)),
                None => absent.push(node.name.clone()),
            }));
        }
        gather(self.group, outcomes, "prune")?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let work = join_all(connected.iter().map(|(node, reached)| {
            let sender = sender.clone();
            async move { prune_node(node, reached, unwanted, sender).await }
        }));
        drop(sender);
        let (outcomes, ()) = tokio::join!(work, forward(receiver, removed));
        gather_of(connected.iter().map(|(node, _)| *node), outcomes, "prune")?;
        Ok(absent)
    }

    /// Connects to a node, and boots it if it is stopped. Returns `None` for a node that has no cache.
    async fn reach(self, node: &Node) -> Result<Option<Connected>, BuilderError> {
        let live = LiveNode::open(self.workspace, self.group, node).await?;
        let has_cache = async {
            match live.info().await?.status {
                Status::Inactive => has_volume(&live, &self.group.name, &node.name).await,
                _ => Ok(true),
            }
        };
        let has_cache = match tokio::time::timeout(self.limit, has_cache).await {
            Ok(has_cache) => has_cache?,
            Err(_) => {
                return Err(BuilderError::TimedOut {
                    what: live.place(),
                    seconds: self.limit.as_secs(),
                });
            }
        };
        match has_cache {
            true => Ok(Some(live.connect(self.status).await?)),
            false => Ok(None),
        }
    }
}

/// Returns whether a node without a container has a volume: the cache of an earlier container.
async fn has_volume(live: &LiveNode, builder: &str, node: &str) -> Result<bool, BuilderError> {
    let Some(engine) = live.engine() else {
        return Ok(false);
    };
    // A volume that docker buildx created has no labels.
    let usual = format!("buildx_buildkit_{node}_state");
    if engine.inspect_volume(&usual).await?.is_some() {
        return Ok(true);
    }
    let objects = leftovers::of_node(engine.as_ref(), builder, node).await?;
    Ok(objects
        .iter()
        .any(|object| object.kind == iechor_engine::ObjectKind::Volume))
}

/// Returns the records that were not used within a time. BuildKit has no filter for it.
fn unused(records: Vec<UsageRecord>, within: Duration) -> Vec<UsageRecord> {
    let now = SystemTime::now();
    let is_unused = |record: &UsageRecord| {
        let used = record.last_used_at.unwrap_or(record.created_at);
        now.duration_since(used).unwrap_or_default() >= within
    };
    records.into_iter().filter(is_unused).collect()
}

/// Checks that a BuildKit supports a request.
async fn check(node: &Connected, unwanted: &Unwanted) -> Result<(), BuilderError> {
    if unwanted.max_used_space == 0 && unwanted.min_free_space == 0 {
        return Ok(());
    }
    match node.client.capabilities().await {
        Ok(capabilities) if capabilities.llb(SPACE_LIMITS) => Ok(()),
        Ok(_) => Err(BuilderError::NoSpaceLimits),
        Err(error) => Err(BuilderError::NoCapabilities(error)),
    }
}

async fn prune_node(
    node: &Node,
    connected: &Connected,
    unwanted: &Unwanted,
    sender: mpsc::Sender<CacheRecord>,
) -> Result<(), BuilderError> {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let request = PruneRequest {
        filters: unwanted.filter.conditions(),
        all: unwanted.all,
        keep_duration: unwanted.filter.unused_for,
        reserved_space: signed(unwanted.reserved_space),
        max_used_space: signed(unwanted.max_used_space),
        min_free_space: signed(unwanted.min_free_space),
    };
    let (found, mut records) = mpsc::channel(WAITING);
    let shown = async {
        while let Some(record) = records.recv().await {
            // The removal continues without a receiver.
            let _ = sender.send(CacheRecord::of(&node.name, record)).await;
        }
    };
    let (pruned, ()) = tokio::join!(connected.client.prune(request, found), shown);
    Ok(pruned?)
}

async fn forward(mut records: mpsc::Receiver<CacheRecord>, mut removed: impl FnMut(CacheRecord)) {
    while let Some(record) = records.recv().await {
        removed(record);
    }
}
