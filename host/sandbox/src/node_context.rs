//! What the operations of a node may use.

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
    /// Every engine that is named on this machine: no driver is connected to one of them.
    pub engines: Arc<KnownEngines>,
    /// What the driver may do with it.
    pub grants: Grants,
    /// Who speaks BuildKit's protocol.
    pub buildkit: Arc<dyn BuildKit>,
    /// Who opens connections to places that it was granted.
    pub dialer: Arc<dyn Dialer>,
    /// Where progress goes.
    pub progress: Arc<dyn Progress>,
    /// Where diagnostics go.
    pub log: Arc<dyn Log>,
    /// Where what operations create is noted.
    pub ledger: Arc<dyn Ledger>,
    /// Ends the operation in progress, which then leaves nothing behind.
    pub cancel: CancellationToken,
    /// Wall time of boot; [`limits::BOOT`] where there is no reason for another.
    pub boot_limit: Duration,
}

/// Stands where pure functions have no BuildKit to reach.
struct NoBuildKit;

impl NodeContext {
    /// What the pure functions may use.
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
        }
    }
}

#[async_trait::async_trait]
impl BuildKit for NoBuildKit {
    async fn connect(&self, _: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        Err("describe, priority and validate are pure: they reach nothing".into())
    }
}
