//! Removals of one builder by several processes: one after the other.

use std::time::Duration;

use iechor_sandbox::limits;

use crate::error::BuilderError;
use crate::store::NodeLock;
use crate::workspace::Workspace;

/// What is locked. No node has an empty name, and no engine this address.
const REMOVAL: (&str, &str) = ("", "removal");

/// Interval between two attempts to lock.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Takes the lock for the removal of a builder. Waits while another process removes it.
///
/// # Errors
///
/// If that takes longer than a removal may, or the user cancels.
pub(super) async fn take(workspace: &Workspace, builder: &str) -> Result<NodeLock, BuilderError> {
    let (node, endpoint) = REMOVAL;
    let lock = workspace.store.node_lock(builder, node, endpoint)?;
    let what = format!("remove builder {builder}");
    let _wait = iechor_waiting::begin("another process", what);
    let taking = async {
        while !lock.try_alone()? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok::<_, BuilderError>(())
    };
    // It stops the daemon, removes its objects, and then those that the driver left.
    let limit = 2 * limits::CHANGE;
    let taken = async {
        match tokio::time::timeout(limit, taking).await {
            Ok(taken) => taken,
            Err(_) => Err(BuilderError::TimedOut {
                what: format!("another process that removes builder {builder}"),
                seconds: limit.as_secs(),
            }),
        }
    };
    workspace.unless_cancelled("the removal", taken).await?;
    Ok(lock)
}
