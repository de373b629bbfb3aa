//! Joins the statuses of several builds into one display.
//!
//! A display may show several builds at once: of several targets, or of one target on several nodes.
//! [`Sources`] gives each of them a sender of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{SolveStatus, VertexLog};
use tokio::sync::mpsc;

use crate::vertex::{Forwarder, StatusSender};

/// Maximum number of statuses of a source that wait.
const WAITING: usize = 1;

/// Maximum number of vertexes whose logs are attributed to a source. It is that of the vertexes that a
/// display keeps.
const MOST_VERTEXES: usize = 20_000;

/// The sources of one display.
#[derive(Debug)]
pub struct Sources {
    display: StatusSender,
    shared: Arc<Shared>,
}

/// What the sources of a display have in common.
#[derive(Debug, Default)]
struct Shared(Mutex<Logs>);

/// The sources of the logs of vertexes. Builds that have a vertex in common all report its logs.
#[derive(Debug, Default)]
struct Logs {
    sources: usize,
    by_vertex: HashMap<String, usize>,
}

impl Sources {
    /// Creates the sources of a display.
    pub fn new(display: &StatusSender) -> Self {
        Self {
            display: display.clone(),
            shared: Arc::default(),
        }
    }

    /// Returns the sender of a new source. With a `prefix`, the names of its vertexes begin with it, see
    /// [`prefix`]. All times are moved to the clock of this computer: the first vertex that is reported
    /// started now.
    ///
    /// The source ends when the sender and its copies are dropped; [`Forwarder::finish`] waits until all of
    /// it was passed on.
    pub fn open(&self, prefix: Option<&str>) -> (StatusSender, Forwarder) {
        self.start(prefix, None)
    }

    /// Returns the sender of a new source of this computer, whose times are not moved. The names of its vertexes
    /// begin with `prefix`. It ends like one of [`open`](Self::open).
    pub fn open_own(&self, prefix: &str) -> (StatusSender, Forwarder) {
        self.start(Some(prefix), Some(Shift::Forward(Duration::ZERO)))
    }

    fn start(&self, prefix: Option<&str>, shift: Option<Shift>) -> (StatusSender, Forwarder) {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let display = self.display.clone();
        let shared = Arc::clone(&self.shared);
        let mut source = Source {
            number: shared.lock().add(),
            prefix: prefix.map(str::to_owned),
            opened: SystemTime::now(),
            shift,
        };
        let task = tokio::spawn(async move {
            while let Some(mut status) = receiver.recv().await {
                source.pass(&mut status, &shared);
                if display.send(status).await.is_err() {
                    break;
                }
            }
            shared.lock().forget(source.number);
        });
        (sender, Forwarder(task))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Logs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    fn add(&mut self) -> usize {
        self.sources += 1;
        self.sources
    }

    /// Returns whether to show a log of a source: it is the first one with logs of the vertex.
    fn admit(&mut self, log: &VertexLog, source: usize) -> bool {
        match self.by_vertex.get(&log.vertex) {
            Some(first) => *first == source,
            None => {
                if self.by_vertex.len() < MOST_VERTEXES {
                    self.by_vertex.insert(log.vertex.clone(), source);
                }
                true
            }
        }
    }

    fn forget(&mut self, source: usize) {
        self.by_vertex.retain(|_, first| *first != source);
    }
}

/// The state of a source.
#[derive(Debug)]
struct Source {
    number: usize,
    prefix: Option<String>,
    opened: SystemTime,
    shift: Option<Shift>,
}

impl Source {
    fn pass(&mut self, status: &mut SolveStatus, shared: &Shared) {
        if let Some(name) = &self.prefix {
            prefix(status, name);
        }
        if self.shift.is_none() {
            let first = status.vertexes.iter().find_map(|vertex| vertex.started);
            self.shift = first.map(|first| Shift::between(first, self.opened));
        }
        if let Some(shift) = self.shift {
            shift.apply(status);
        }
        if !status.logs.is_empty() {
            let mut logs = shared.lock();
            status.logs.retain(|log| logs.admit(log, self.number));
        }
    }
}

/// The difference between two clocks.
#[derive(Debug, Clone, Copy)]
enum Shift {
    Forward(Duration),
    Back(Duration),
}

impl Shift {
    fn between(from: SystemTime, to: SystemTime) -> Self {
        match to.duration_since(from) {
            Ok(forward) => Self::Forward(forward),
            Err(back) => Self::Back(back.duration()),
        }
    }

    fn time(self, time: &mut SystemTime) {
        let moved = match self {
            Self::Forward(duration) => time.checked_add(duration),
            Self::Back(duration) => time.checked_sub(duration),
        };
        *time = moved.unwrap_or(*time);
    }

    fn apply(self, status: &mut SolveStatus) {
        for vertex in &mut status.vertexes {
            for time in [&mut vertex.started, &mut vertex.completed] {
                time.iter_mut().for_each(|time| self.time(time));
            }
        }
        for status in &mut status.statuses {
            for time in [&mut status.started, &mut status.completed] {
                time.iter_mut().for_each(|time| self.time(time));
            }
            self.time(&mut status.timestamp);
        }
        for log in &mut status.logs {
            self.time(&mut log.timestamp);
        }
    }
}

/// Adds the name of a target or a node to the names of its vertexes, for several builds in one display:
/// `[internal] x` becomes `[name internal] x`, any other `x` becomes `[name] x`.
pub fn prefix(status: &mut SolveStatus, name: &str) {
    for vertex in &mut status.vertexes {
        vertex.name = prefixed(&vertex.name, name);
        if let Some(group) = &mut vertex.progress_group {
            group.name = prefixed(&group.name, name);
        }
    }
}

fn prefixed(text: &str, name: &str) -> String {
    match text.strip_prefix('[') {
        Some(rest) => format!("[{name} {rest}"),
        None => format!("[{name}] {text}"),
    }
}
