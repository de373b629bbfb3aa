//! Messages about what the program waits for.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use iechor_waiting::Pending;
use tokio::task::JoinHandle;

use super::messages;

/// Time after which a wait is announced.
const LONG: Duration = Duration::from_secs(2);

/// Interval of the checks.
const LOOK: Duration = Duration::from_millis(250);

/// Whether standard error has a stream for programs, in which a message would be an error.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Announces long waits, until this is dropped. Of several waits for the same program, one is announced.
pub struct Announcer(JoinHandle<()>);

impl Announcer {
    /// Starts to announce waits.
    pub fn start() -> Self {
        Self(tokio::spawn(async {
            let mut said: HashSet<String> = HashSet::new();
            loop {
                tokio::time::sleep(LOOK).await;
                let overdue = iechor_waiting::overdue(LONG);
                said.retain(|whom| overdue.iter().any(|pending| pending.whom == *whom));
                for Pending { whom, what } in overdue {
                    if !IS_SILENT.load(Ordering::Relaxed) && said.insert(whom.clone()) {
                        messages::say(&format!("waiting for {whom} to {what}"));
                    }
                }
            }
        }))
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Announces nothing from now on.
pub fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}
