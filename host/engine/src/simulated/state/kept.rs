//! A container, with the part of its state that clients do not see.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::super::behavior::Behavior;
use crate::model::{Container, ContainerSpec, ContainerStatus, File, LogChunk, RestartPolicy};

/// A container and its hidden state.
pub(super) struct Kept {
    pub(super) spec: ContainerSpec,
    pub(super) seen: Container,
    pub(super) behavior: Behavior,
    pub(super) log: Vec<LogChunk>,
    pub(super) files: BTreeMap<String, File>,
    pub(super) directories: BTreeSet<String>,
    pub(super) networks: BTreeSet<String>,
    /// Number of calls until it ends by itself.
    pub(super) left: Option<u64>,
    /// Cancelled when the present run ends.
    pub(super) life: CancellationToken,
}

impl Kept {
    pub(super) fn running(&self) -> bool {
        self.seen.status == ContainerStatus::Running
    }

    /// Ends the present run.
    pub(super) fn end(&mut self, exit_code: i64, out_of_memory: bool) {
        self.life.cancel();
        self.left = None;
        self.seen.run = None;
        self.seen.exit_code = Some(exit_code);
        self.seen.out_of_memory = out_of_memory;
        let again = match self.spec.restart {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(limit) => {
                exit_code != 0 && (limit == 0 || self.seen.restart_count < limit)
            }
        };
        self.seen.status = if again {
            ContainerStatus::Restarting
        } else {
            ContainerStatus::Exited
        };
    }
}
