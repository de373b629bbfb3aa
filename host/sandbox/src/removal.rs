//! Removes objects of the engine, all at the same time and within a deadline.
//!
//! Used to undo a failed operation, and to continue that later. Objects that could not be removed are
//! returned by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use iechor_engine::{Engine, EngineError, ObjectKind};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::limits;

/// Pause before another attempt to remove an object.
const RETRY: Duration = Duration::from_millis(500);
/// Attempts for an object that is in use or is being removed by somebody else: ten seconds in total, the
/// time that an engine gives a container to end.
const CONFLICTS: u32 = 20;
/// Attempts while the engine cannot be reached: it may be restarting.
const UNREACHABLE: u32 = 3;
/// Looks for an object whose creation was not answered, [`LOOK_AGAIN`] apart: the engine may still be
/// at work on it.
const LOOKS: u32 = 3;
/// Pause between two such looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An object of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)
    }
}

/// An object that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The object.
    pub object: Object,
    /// Why it is left.
    pub reason: String,
    /// The time ended first, so it is unknown whether the object exists.
    pub is_unsure: bool,
}

impl fmt::Display for Left {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_unsure { "may be" } else { "is" };
        write!(
            formatter,
            "{} {verb} left behind: {}",
            self.object, self.reason
        )
    }
}

/// The request that creates an object, as far as its removal has to know.
#[derive(Debug, Default)]
pub(crate) struct Request {
    ended: CancellationToken,
    is_answered: AtomicBool,
}

impl Request {
    /// Notes the end of the request. A refusal of the engine is an answer, a broken connection is
    /// none.
    pub(crate) fn end<T>(&self, result: &Result<T, EngineError>) {
        let is_answered = !matches!(
            result,
            Err(EngineError::Unreachable { .. } | EngineError::Protocol(_))
        );
        self.is_answered.store(is_answered, Ordering::Relaxed);
        self.ended.cancel();
    }
}

/// An object to remove.
#[derive(Debug, Clone)]
pub struct Doomed {
    object: Object,
    request: Option<Arc<Request>>,
}

impl Doomed {
    /// Returns an object that was created some time ago.
    pub fn new(kind: ObjectKind, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            object: Object { kind, name },
            request: None,
        }
    }

    /// Returns what is to be removed.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Returns an object that this request creates, which may not have ended yet.
    pub(crate) fn of_request(object: Object, request: Arc<Request>) -> Self {
        Self {
            object,
            request: Some(request),
        }
    }
}

/// The result of a removal.
#[derive(Debug, Default)]
pub struct Removed {
    /// Objects that were removed.
    pub gone: Vec<Object>,
    /// Objects that are left, or may be left.
    pub left: Vec<Left>,
}

/// How to remove objects.
pub struct Removal {
    /// Where they are.
    pub engine: Arc<dyn Engine>,
    /// Labels that an object must have. An object without them belongs to somebody else and stays.
    pub labels: BTreeMap<String, String>,
    /// Containers that may be in a network that is to go, by network.
    pub attached: Vec<(String, String)>,
}

struct Work {
    removal: Removal,
    slots: Semaphore,
    containers: AtomicUsize,
    containers_are_gone: CancellationToken,
}

impl Removal {
    /// Removes the objects at the same time, but networks and volumes after the containers that may
    /// use them. Ends after `limit` at the latest.
    pub async fn run(self, objects: Vec<Doomed>, limit: Duration) -> Removed {
        let deadline = Instant::now() + limit;
        let is_container = |doomed: &&Doomed| doomed.object.kind == ObjectKind::Container;
        let containers = objects.iter().filter(is_container).count();
        let work = Arc::new(Work {
            removal: self,
            slots: Semaphore::new(limits::REMOVALS_AT_ONCE),
            containers: AtomicUsize::new(containers),
            containers_are_gone: CancellationToken::new(),
        });
        if containers == 0 {
            work.containers_are_gone.cancel();
        }
        // A container that does not go leaves a third of the time for what it does not use.
        let patience = limit * 2 / 3;
        let mut tasks = JoinSet::new();
        for (index, doomed) in objects.iter().cloned().enumerate() {
            let work = Arc::clone(&work);
            tasks.spawn(async move { (index, work.remove(&doomed, patience).await) });
        }
        let mut outcomes: Vec<Option<Result<bool, String>>> = vec![None; objects.len()];
        while let Ok(Some(ended)) = timeout_at(deadline, tasks.join_next()).await {
            if let Ok((index, outcome)) = ended {
                outcomes[index] = Some(outcome.map_err(|error| error.to_string()));
            }
        }
        let mut removed = Removed::default();
        for (doomed, outcome) in objects.into_iter().zip(outcomes) {
            let object = doomed.object;
            match outcome {
                Some(Ok(true)) => removed.gone.push(object),
                Some(Ok(false)) => {}
                Some(Err(reason)) => removed.left.push(Left {
                    object,
                    reason,
                    is_unsure: false,
                }),
                None => removed.left.push(Left {
                    object,
                    reason: format!("the engine did not remove it within {} s", limit.as_secs()),
                    is_unsure: true,
                }),
            }
        }
        removed
    }
}

impl Work {
    /// Removes one object; `false` where it is not there, or is not ours.
    async fn remove(&self, doomed: &Doomed, patience: Duration) -> Result<bool, EngineError> {
        let is_container = doomed.object.kind == ObjectKind::Container;
        if !is_container {
            // Where they stay, the engine refuses what they use.
            let _ = timeout(patience, self.containers_are_gone.cancelled()).await;
        }
        let removed = self.remove_when_created(doomed).await;
        if is_container && self.containers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.containers_are_gone.cancel();
        }
        removed
    }

    async fn remove_when_created(&self, doomed: &Doomed) -> Result<bool, EngineError> {
        let mut looks = 1;
        if let Some(request) = &doomed.request {
            request.ended.cancelled().await;
            if !request.is_answered.load(Ordering::Relaxed) {
                looks = LOOKS;
            }
        }
        let _slot = self.slots.acquire().await;
        let (mut conflicts, mut unreachable) = (0, 0);
        loop {
            let error = match self.remove_once(&doomed.object).await {
                Ok(true) => return Ok(true),
                Ok(false) => {
                    looks -= 1;
                    if looks == 0 {
                        // One that was in use a moment ago was removed by somebody else.
                        return Ok(conflicts > 0);
                    }
                    sleep(LOOK_AGAIN).await;
                    continue;
                }
                Err(error) => error,
            };
            let (tries, most) = match &error {
                EngineError::Conflict(_) => (&mut conflicts, CONFLICTS),
                EngineError::Unreachable { .. } => (&mut unreachable, UNREACHABLE),
                _ => return Err(error),
            };
            *tries += 1;
            if *tries >= most {
                return Err(error);
            }
            sleep(RETRY).await;
        }
    }

    async fn remove_once(&self, object: &Object) -> Result<bool, EngineError> {
        let Removal {
            engine, attached, ..
        } = &self.removal;
        if !self.is_ours(object).await? {
            return Ok(false);
        }
        let name = object.name.as_str();
        let removed = match object.kind {
            ObjectKind::Container => engine.remove_container(name, true).await,
            ObjectKind::Volume => engine.remove_volume(name, false).await,
            ObjectKind::Network => {
                for (_, container) in attached.iter().filter(|(network, _)| network == name) {
                    // Where it stays in there the network does too, and that is said.
                    let _ = engine.disconnect_network(name, container, true).await;
                }
                engine.remove_network(name).await
            }
            ObjectKind::Image => return Ok(false),
        };
        match removed {
            Ok(()) | Err(EngineError::NotFound { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn is_ours(&self, object: &Object) -> Result<bool, EngineError> {
        let Removal { engine, labels, .. } = &self.removal;
        let name = object.name.as_str();
        let found = match object.kind {
            ObjectKind::Container => engine.inspect_container(name).await?.map(|it| it.labels),
            ObjectKind::Volume => engine.inspect_volume(name).await?.map(|it| it.labels),
            ObjectKind::Network => engine.inspect_network(name).await?.map(|it| it.labels),
            ObjectKind::Image => None,
        };
        Ok(found.is_some_and(|found| {
            labels
                .iter()
                .all(|(label, value)| found.get(label) == Some(value))
        }))
    }
}
