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

/// Maximum time between a lack of memory, and the end of the container that it causes.
const OUT_OF_MEMORY: Duration = Duration::from_secs(10);

/// Maximum time between a signal from a client of the engine, and the end of the container that it causes.
const STOPPED: Duration = Duration::from_secs(60);

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
        /// Signal with which a client of the engine ended it, if the engine knows it.
        signal: Option<i32>,
        /// Whether the container runs again.
        is_restarted: bool,
    },
}

impl fmt::Display for Incident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "container {} {}", self.container, self.kind)?;
        if !self.log.is_empty() {
            let lines = self.log.join("\n  ");
            write!(formatter, "\nlast lines of its log:\n  {lines}")?;
        }
        Ok(())
    }
}

/// Writes the end of a sentence that begins with the container.
impl fmt::Display for IncidentKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => formatter.write_str("is paused"),
            Self::Unresponsive { limit } => write!(
                formatter,
                "runs, but BuildKit in it did not answer for {} seconds",
                limit.as_secs_f32()
            ),
            Self::Removed => formatter.write_str("was removed"),
            Self::Ended {
                exit_code,
                out_of_memory,
                signal,
                is_restarted,
            } => {
                formatter.write_str("ended")?;
                if let Some(code) = exit_code {
                    write!(formatter, " with exit code {code}")?;
                }
                if *out_of_memory {
                    formatter.write_str(" because it ran out of memory")?;
                } else if let Some(signal) = signal {
                    let name = signal_name(*signal);
                    write!(formatter, " because a client of the engine sent it {name}")?;
                }
                if *is_restarted {
                    formatter.write_str(", and was restarted")?;
                }
                Ok(())
            }
        }
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        2 => "SIGINT".to_owned(),
        9 => "SIGKILL".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

impl LiveNode {
    /// Returns how the container in which BuildKit ran ended. Returns `None` if it has not ended, if the
    /// node has no container, or if the engine does not say.
    pub async fn end_of_run(&self) -> Option<IncidentKind> {
        let engine = self.engine.as_ref()?;
        let container = within(
            LOOK,
            container::of_node(engine.as_ref(), &self.builder, &self.name),
        )
        .await??;
        let has_ended = matches!(
            container.status,
            ContainerStatus::Exited | ContainerStatus::Dead
        );
        match has_ended {
            true => Some(end(engine.as_ref(), &container, container.started_at).await),
            false => None,
        }
    }

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
            ContainerStatus::Running
            | ContainerStatus::Restarting
            | ContainerStatus::Exited
            | ContainerStatus::Dead => {
                Some(end(self.engine.as_ref(), container, self.started_at).await)
            }
            ContainerStatus::Removing => Some(IncidentKind::Removed),
            ContainerStatus::Created | ContainerStatus::Other => None,
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

/// Returns how the run of a container that began at a time ended. The state of a container that was restarted
/// does not tell any more, and no state tells who ended it.
async fn end(
    engine: &dyn Engine,
    container: &Container,
    started_at: Option<SystemTime>,
) -> IncidentKind {
    let has_ended = matches!(
        container.status,
        ContainerStatus::Exited | ContainerStatus::Dead
    );
    let since = started_at.unwrap_or(SystemTime::UNIX_EPOCH);
    let events = engine.container_events(&container.id, since);
    let events = within(DETAILS, events).await.unwrap_or_default();
    let death = events.iter().rfind(|event| event.action == "die");
    let causes = |event: &ContainerEvent, action: &str, limit: Duration| {
        let before = death.map(|death| death.time.duration_since(event.time).unwrap_or_default());
        event.action == action && before.is_some_and(|before| before < limit)
    };
    let ran_out = |event: &ContainerEvent| causes(event, "oom", OUT_OF_MEMORY);
    let killed = |event: &&ContainerEvent| causes(event, "kill", STOPPED);
    IncidentKind::Ended {
        exit_code: match has_ended {
            true => container.exit_code,
            false => death.and_then(|death| death.exit_code),
        },
        out_of_memory: has_ended && container.out_of_memory || events.iter().any(ran_out),
        signal: events.iter().find(killed).and_then(|event| event.signal),
        is_restarted: !has_ended,
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
            signal: None,
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
            signal: None,
            is_restarted: false,
        };
        assert_eq!(incident(unknown, &[]), "container c ended");
        let stopped = IncidentKind::Ended {
            exit_code: Some(0),
            out_of_memory: false,
            signal: Some(15),
            is_restarted: false,
        };
        assert_eq!(
            incident(stopped, &[]),
            "container c ended with exit code 0 because a client of the engine sent it SIGTERM"
        );
    }
}
