//! The container of a node while a build runs in it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use iechor_engine::model::{Container, ContainerEvent, ContainerStatus};
use iechor_engine::{Engine, EngineError};

use super::{LiveNode, container};

/// Maximum time of a look at the container.
const LOOK: Duration = Duration::from_secs(2);

/// Maximum time to find out more about an incident: its exit code, the log.
const DETAILS: Duration = Duration::from_secs(1);

/// Maximum time after the loss of a connection until the engine knows that the container ended.
const NOTICED: Duration = Duration::from_secs(2);

/// Time between two looks after the loss of a connection.
const AGAIN: Duration = Duration::from_millis(100);

/// Lines of the log that are read.
const LOG_LINES: u32 = 10;

/// Size of the part of the log that is read, in bytes.
const LOG_LIMIT: usize = 8 << 10;

/// Maximum time between a lack of memory and the end of the container that it causes.
const OUT_OF_MEMORY: Duration = Duration::from_secs(10);

/// The container of a node, as it was when a build began.
pub struct Watch {
    engine: Arc<dyn Engine>,
    id: String,
    name: String,
    started_at: Option<SystemTime>,
}

/// What happened to the container of a node, so that BuildKit does not respond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Name of the container.
    pub container: String,
    /// What happened.
    pub kind: IncidentKind,
    /// Last lines of the container's log.
    pub log: Vec<String>,
}

/// The kind of an [`Incident`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentKind {
    /// The container is paused.
    Paused,
    /// The container runs, but BuildKit in it does not respond.
    Unresponsive {
        /// Time that BuildKit had to respond.
        limit: Duration,
    },
    /// The container was removed.
    Removed,
    /// The container ended.
    Ended {
        /// Exit code, if the engine knows it.
        exit_code: Option<i64>,
        /// Whether the kernel killed it because memory ran out.
        out_of_memory: bool,
        /// Whether the container runs again.
        is_restarted: bool,
    },
}

impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "container {} ", self.container)?;
        match &self.kind {
            IncidentKind::Paused => formatter.write_str("is paused"),
            IncidentKind::Unresponsive { limit } => write!(
                formatter,
                "runs, but BuildKit in it did not answer for {} seconds",
                limit.as_secs_f32()
            ),
            IncidentKind::Removed => formatter.write_str("was removed"),
            IncidentKind::Ended {
                exit_code,
                out_of_memory,
                is_restarted,
            } => {
                formatter.write_str("ended")?;
                if let Some(code) = exit_code {
                    write!(formatter, " with exit code {code}")?;
                }
                if *out_of_memory {
                    formatter.write_str(" because it ran out of memory")?;
                }
                if *is_restarted {
                    formatter.write_str(", and was restarted")?;
                }
                Ok(())
            }
        }?;
        if !self.log.is_empty() {
            let lines = self.log.join("\n  ");
            write!(formatter, "\nlast lines of its log:\n  {lines}")?;
        }
        Ok(())
    }
}

impl LiveNode {
    /// Looks at the container in which BuildKit runs. Returns `None` if the node has no container, or
    /// the engine does not say.
    pub async fn watch(&self) -> Option<Watch> {
        let engine = Arc::clone(self.engine.as_ref()?);
        let container = within(
            LOOK,
            container::of_node(engine.as_ref(), &self.builder, &self.name),
        )
        .await??;
        Some(Watch {
            engine,
            id: container.id,
            name: container.name,
            started_at: container.started_at,
        })
    }
}

impl Watch {
    /// Returns what happened to the container; `None` if it runs as before, or the engine does not
    /// say.
    pub async fn incident(&self) -> Option<Incident> {
        let kind = match self.look().await? {
            None => IncidentKind::Removed,
            Some(container) => self.judge(&container).await?,
        };
        Some(self.tell(kind).await)
    }

    /// Returns the reason why BuildKit did not respond for `limit`; `None` if the engine does not say.
    pub async fn reason_of_silence(&self, limit: Duration) -> Option<Incident> {
        let kind = match self.look().await? {
            None => IncidentKind::Removed,
            Some(container) => match self.judge(&container).await {
                Some(kind) => kind,
                None if container.status == ContainerStatus::Running => {
                    IncidentKind::Unresponsive { limit }
                }
                None => return None,
            },
        };
        Some(self.tell(kind).await)
    }

    async fn look(&self) -> Option<Option<Container>> {
        within(LOOK, self.engine.inspect_container(&self.id)).await
    }

    /// Adds the log of the container, where it may tell more.
    async fn tell(&self, kind: IncidentKind) -> Incident {
        let log = match kind {
            IncidentKind::Ended { .. } | IncidentKind::Unresponsive { .. } => self.log().await,
            IncidentKind::Paused | IncidentKind::Removed => Vec::new(),
        };
        Incident {
            container: self.name.clone(),
            kind,
            log,
        }
    }

    /// Returns what happened to the container after a connection to it was lost. Waits some seconds
    /// until the engine knows it.
    pub async fn reason_of_loss(&self) -> Option<Incident> {
        let looking = async {
            loop {
                if let Some(incident) = self.incident().await {
                    return incident;
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(NOTICED, looking).await.ok()
    }

    async fn judge(&self, container: &Container) -> Option<IncidentKind> {
        match container.status {
            ContainerStatus::Paused => Some(IncidentKind::Paused),
            ContainerStatus::Running if container.started_at == self.started_at => None,
            ContainerStatus::Running | ContainerStatus::Restarting => Some(self.last_end().await),
            ContainerStatus::Exited | ContainerStatus::Dead => Some(IncidentKind::Ended {
                exit_code: container.exit_code,
                out_of_memory: container.out_of_memory,
                is_restarted: false,
            }),
            ContainerStatus::Removing => Some(IncidentKind::Removed),
            ContainerStatus::Created | ContainerStatus::Other => None,
        }
    }

    /// Returns how the container ended that was restarted. Its state does not tell any more.
    async fn last_end(&self) -> IncidentKind {
        let since = self.started_at.unwrap_or(SystemTime::UNIX_EPOCH);
        let events = self.engine.container_events(&self.id, since);
        let events = within(DETAILS, events).await.unwrap_or_default();
        let end = events.iter().rfind(|event| event.action == "die");
        let caused = |event: &ContainerEvent| {
            let end = end.map(|end| end.time.duration_since(event.time).unwrap_or_default());
            event.action == "oom" && end.is_some_and(|before| before < OUT_OF_MEMORY)
        };
        IncidentKind::Ended {
            exit_code: end.and_then(|end| end.exit_code),
            out_of_memory: events.iter().any(caused),
            is_restarted: true,
        }
    }

    async fn log(&self) -> Vec<String> {
        let chunks = self
            .engine
            .container_logs(&self.id, Some(LOG_LINES), LOG_LIMIT);
        let chunks = within(DETAILS, chunks).await.unwrap_or_default();
        let bytes: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| chunk.data.to_vec())
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }
}

/// Returns an answer of the engine; `None` if it fails or takes too long. The build goes on then.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, EngineError>>,
) -> Option<T> {
    tokio::time::timeout(limit, answer).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(kind: IncidentKind, log: &[&str]) -> String {
        Incident {
            container: "c".into(),
            kind,
            log: log.iter().map(|line| (*line).to_owned()).collect(),
        }
        .to_string()
    }

    #[test]
    fn incidents_in_words() {
        assert_eq!(incident(IncidentKind::Paused, &[]), "container c is paused");
        let frozen = IncidentKind::Unresponsive {
            limit: Duration::from_secs(4),
        };
        assert_eq!(
            incident(frozen, &["a"]),
            "container c runs, but BuildKit in it did not answer for 4 seconds\n\
             last lines of its log:\n  a"
        );
        let killed = IncidentKind::Ended {
            exit_code: Some(137),
            out_of_memory: true,
            is_restarted: true,
        };
        assert_eq!(
            incident(killed, &["a", "b"]),
            "container c ended with exit code 137 because it ran out of memory, and was restarted\n\
             last lines of its log:\n  a\n  b"
        );
        let unknown = IncidentKind::Ended {
            exit_code: None,
            out_of_memory: false,
            is_restarted: false,
        };
        assert_eq!(incident(unknown, &[]), "container c ended");
    }
}
