//! What keeps a driver from holding up a run: bounds on what it calls, and a leash that ends a check.

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use iechor_sandbox::contract::Error;
use iechor_sandbox::{DriverError, Observer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most calls to the host within one operation. One that looks for BuildKit ten times a second
/// for as long as a boot may take has a quarter of them.
pub(crate) const CALLS: u64 = 100_000;
/// Looks at the clock that take no time.
const FREE_LOOKS: u32 = 100;

/// Ends the check in progress, for a reason. Clones are the same leash.
#[derive(Clone, Default)]
pub(crate) struct Leash(Arc<Mutex<Pull>>);

#[derive(Default)]
struct Pull {
    token: CancellationToken,
    why: Option<Pulled>,
}

/// Why a check was ended.
#[derive(Debug, Clone)]
pub(crate) struct Pulled {
    pub(crate) reason: String,
    /// The end of the trace, where there is one.
    pub(crate) trace: Vec<String>,
}

impl Leash {
    fn state(&self) -> MutexGuard<'_, Pull> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the check in progress; the first reason counts.
    pub(crate) fn pull(&self, reason: String, trace: Vec<String>) {
        let mut state = self.state();
        state.why.get_or_insert(Pulled { reason, trace });
        state.token.cancel();
    }

    /// Runs a check until it ends, or is ended. Nothing takes more real time than `patience`.
    pub(crate) async fn hold<T>(
        &self,
        patience: Duration,
        check: impl Future<Output = T>,
    ) -> Result<T, Pulled> {
        let token = CancellationToken::new();
        *self.state() = Pull {
            token: token.clone(),
            why: None,
        };
        let _watched = self.watch(patience);
        tokio::select! {
            biased;
            () = token.cancelled() => {}
            outcome = check => return Ok(outcome),
        }
        let why = self.state().why.take();
        Err(why.unwrap_or(Pulled {
            reason: "it was ended".into(),
            trace: Vec::new(),
        }))
    }

    /// Pulls after so much real time, unless what this returns is dropped before. A thread: time of
    /// the runtime is virtual.
    fn watch(&self, patience: Duration) -> Sender<()> {
        let (watched, gone) = channel::<()>();
        let leash = self.clone();
        std::thread::spawn(move || {
            if gone.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let reason = format!("nothing came of it within {patience:?} of real time");
                leash.pull(reason, Vec::new());
            }
        });
        watched
    }
}

/// Counts what a driver calls, and pulls the leash where that is too much.
///
/// On virtual time nothing takes any, so a driver that waits by looking at the clock over and over
/// would wait for ever. Here, the looks themselves take time: more and more, so that a boot that
/// does nothing else is over after some ten thousand of them.
#[derive(Default)]
pub(crate) struct Bounds {
    leash: Option<Leash>,
    is_time_virtual: bool,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    operation: &'static str,
    calls: u64,
    /// At this moment.
    looks: u32,
    moment: Option<Instant>,
}

impl Bounds {
    pub(crate) fn new(leash: Leash, is_time_virtual: bool) -> Self {
        Self {
            leash: Some(leash),
            is_time_virtual,
            count: Mutex::default(),
        }
    }

    pub(crate) fn begin(&self, operation: &'static str) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = Count {
            operation,
            ..Count::default()
        };
    }

    /// Notes one more call; `trace` makes the end of what there is to show, where it is too much.
    pub(crate) fn call(&self, function: &'static str, trace: impl FnOnce() -> Vec<String>) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.calls += 1;
        if self.is_time_virtual && matches!(function, "clock.now" | "clock.remaining") {
            count.look();
        }
        if count.calls > CALLS {
            let operation = count.operation;
            drop(count);
            self.exceed(
                format!(
                    "{operation} made more than {CALLS} calls to the host; the last was {function}"
                ),
                trace,
            );
        }
    }

    /// Ends the check.
    pub(crate) fn exceed(&self, reason: String, trace: impl FnOnce() -> Vec<String>) {
        if let Some(leash) = &self.leash {
            leash.pull(reason, trace());
        }
    }
}

impl Count {
    fn look(&mut self) {
        if self.moment != Some(Instant::now()) {
            self.looks = 0;
        }
        self.looks += 1;
        if let Some(paid) = self.looks.checked_sub(FREE_LOOKS) {
            advance(Duration::from_millis(1 + u64::from(paid / 10)));
        }
        self.moment = Some(Instant::now());
    }
}

/// Moves virtual time, from within a call that cannot wait: the time is moved at the first poll,
/// and what follows only lets others run.
fn advance(by: Duration) {
    let advance = pin!(tokio::time::advance(by));
    let _ = advance.poll(&mut Context::from_waker(Waker::noop()));
}

/// For a driver of which nothing else is to be known.
impl Observer for Bounds {
    fn begin(&self, operation: &'static str) {
        Self::begin(self, operation);
    }
    fn call(&self, function: &'static str, _: &str) {
        Self::call(self, function, Vec::new);
    }
    fn answer(&self, _: &str) {}
    fn error(&self, _: &Error) {}
    fn kept(&self, _: &'static str, _: usize) {}
    fn end(&self, _: &'static str, _: Result<(), &DriverError>) {}
}
