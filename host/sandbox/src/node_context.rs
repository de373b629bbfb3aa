//! What the operations of a node may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use iechor_engine::known::KnownEngines;
use iechor_engine::{BoxByteStream, Engine};
use tokio_util::sync::CancellationToken;

use crate::granted::Grants;
use crate::limits;
use crate::report::{
    BuildKit, BuildKitClient, Dialer, Ledger, Log, NoLedger, NoLog, NoProgress, Progress,
    SystemDialer,
};

/// What a node's operations may use.
#[derive(Clone)]
pub struct NodeContext {
    /// The builder's name, for the labels.
    pub builder: String,
    /// The engine behind the node; `None` for a driver that does not use one, see
    /// [`Driver::uses_engine`].
    pub engine: Option<Arc<dyn Engine>>,
    /// The engines that are known on this machine. No driver may connect to one of them.
    pub engines: Arc<KnownEngines>,
    /// What the driver may do.
    pub grants: Grants,
    /// The client of BuildKit.
    pub buildkit: Arc<dyn BuildKit>,
    /// Opens connections to places that were granted.
    pub dialer: Arc<dyn Dialer>,
    /// Receives progress.
    pub progress: Arc<dyn Progress>,
    /// Receives diagnostics.
    pub log: Arc<dyn Log>,
    /// Records what operations create.
    pub ledger: Arc<dyn Ledger>,
    /// Cancels the operation in progress, which leaves nothing behind.
    pub cancel: CancellationToken,
    /// Wall time of boot, normally [`limits::BOOT`].
    pub boot_limit: Duration,
    /// The directory of the directories that are shared with containers, for direct connections. It is made
    /// when it is needed. `None` shares nothing.
    pub direct: Option<PathBuf>,
}

/// Refuses connections of pure functions.
struct NoBuildKit;

impl NodeContext {
    /// Returns what the pure functions may use.
    pub(crate) fn of_nothing() -> Self {
        Self {
            builder: String::new(),
            engine: None,
            engines: Arc::default(),
            grants: Grants::none(),
            buildkit: Arc::new(NoBuildKit),
            dialer: Arc::new(SystemDialer),
            progress: Arc::new(NoProgress),
            log: Arc::new(NoLog),
            ledger: Arc::new(NoLedger),
            cancel: CancellationToken::new(),
            boot_limit: limits::BOOT,
            direct: None,
        }
    }
}

#[async_trait::async_trait]
impl BuildKit for NoBuildKit {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Err("describe, priority and validate are pure: they reach nothing".into())
    }
}
