//! A real engine as the world of a driver: objects of unique names, all removed afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use iechor_engine::known::KnownEngines;
use iechor_engine::{Engine, EngineError};
use iechor_sandbox::{
    BuildKit, Grant, Grants, NoLedger, NodeContext, Policy, SystemDialer, limits,
};
use tokio_util::sync::CancellationToken;

use crate::stage::objects;
use crate::watcher::Watcher;

/// A real engine, and the client of BuildKit for what runs there.
#[derive(Clone)]
pub struct RealEngine {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// Every engine that is named on this machine.
    pub engines: Arc<KnownEngines>,
    /// The client of BuildKit.
    pub buildkit: Arc<dyn BuildKit>,
    /// What the user granted the driver.
    pub granted: Vec<Grant>,
    /// What the organisation allows, whatever is granted.
    pub policy: Arc<Policy>,
}

/// One node in it. Clones are the same node.
#[derive(Clone)]
pub(crate) struct RealWorld {
    pub(crate) engine: Arc<dyn Engine>,
    engines: Arc<KnownEngines>,
    buildkit: Arc<dyn BuildKit>,
    watcher: Arc<Watcher>,
    cancel: CancellationToken,
    pub(crate) grants: Grants,
    pub(crate) node: String,
}

/// Returns what the names of nodes of this process begin with, on a real engine.
pub fn real_node_prefix() -> String {
    format!("testkit{}x", std::process::id())
}

impl RealWorld {
    /// Returns a node of a name that nobody has.
    pub(crate) fn new(real: &RealEngine, grants: Grants, cancel: CancellationToken) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            engine: Arc::clone(&real.engine),
            engines: Arc::clone(&real.engines),
            buildkit: Arc::clone(&real.buildkit),
            watcher: Arc::default(),
            cancel,
            grants,
            node: format!("{}{number}", real_node_prefix()),
        }
    }

    pub(crate) fn context(&self) -> NodeContext {
        NodeContext {
            builder: format!("{}-builder", self.node),
            engine: Some(Arc::clone(&self.engine)),
            engines: Arc::clone(&self.engines),
            grants: self.grants.clone(),
            buildkit: Arc::clone(&self.buildkit),
            dialer: Arc::new(SystemDialer),
            progress: Arc::clone(&self.watcher) as _,
            log: Arc::clone(&self.watcher) as _,
            ledger: Arc::new(NoLedger),
            cancel: self.cancel.clone(),
            boot_limit: limits::BOOT,
            direct: None,
        }
    }

    pub(crate) async fn objects(&self) -> Result<Vec<String>, EngineError> {
        let base = format!("buildx_buildkit_{}", self.node);
        objects(self.engine.as_ref(), |name| {
            name.strip_prefix(&base)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '.']))
        })
        .await
    }

    /// Removes everything of the node; returns what could not be.
    pub(crate) async fn clean(&self) -> Vec<String> {
        let left = match self.objects().await {
            Ok(left) => left,
            Err(error) => return vec![format!("objects of {}: {error}", self.node)],
        };
        let mut failures = Vec::new();
        // Containers come first in the list, and hold the others.
        for object in left {
            let Some((kind, name)) = object.split_once(' ') else {
                continue;
            };
            let removed = match kind {
                "container" => self.engine.remove_container(name, true).await,
                "volume" => self.engine.remove_volume(name, true).await,
                _ => self.engine.remove_network(name).await,
            };
            match removed {
                Ok(()) | Err(EngineError::NotFound { .. }) => {}
                Err(error) => failures.push(format!("{object}: {error}")),
            }
        }
        failures
    }
}
