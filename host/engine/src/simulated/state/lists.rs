//! How containers are inspected and listed.

use super::{State, carries};
use crate::model::{Container, ContainerStatus, Mount, MountSource, RestartPolicy};

impl State {
    /// Returns a container. If the engine restarts it again and again, each call counts one restart.
    pub(in crate::simulated) fn inspect(&mut self, name: &str) -> Option<Container> {
        let kept = self.kept(name).ok()?;
        let mut seen = kept.seen.clone();
        let named = |network: &&String| !network.starts_with("container:");
        seen.reach.networks = kept.networks.iter().filter(named).cloned().collect();
        if kept.seen.status == ContainerStatus::Restarting {
            kept.seen.restart_count += 1;
            if let RestartPolicy::OnFailure(limit @ 1..) = kept.spec.restart
                && kept.seen.restart_count >= limit
            {
                kept.seen.status = ContainerStatus::Exited;
            }
        }
        Some(seen)
    }

    /// Returns the containers with these labels, newest first, without the data that lists do not have.
    pub(in crate::simulated) fn list(&self, labels: &[(String, String)]) -> Vec<Container> {
        let all = self.containers.iter().rev().map(|k| &k.seen);
        all.filter(|c| carries(&c.labels, labels))
            .map(|c| Container {
                id: c.id.clone(),
                name: c.name.clone(),
                status: c.status,
                image: c.image.clone(),
                labels: c.labels.clone(),
                mounts: c
                    .mounts
                    .iter()
                    .map(|m| Mount {
                        source: match &m.source {
                            MountSource::Tmpfs(_) => MountSource::Tmpfs(0),
                            other => other.clone(),
                        },
                        ..m.clone()
                    })
                    .collect(),
                ..Container::default()
            })
            .collect()
    }
}
