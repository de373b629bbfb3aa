//! What this process waits for, so that no wait is silent.
//!
//! Code that waits for something outside of the process, such as an engine or another process, calls
//! [`begin`] and keeps the [`Wait`] until the wait is over. The command line asks for the waits that have
//! taken long with [`overdue`], and prints them.
//!
//! The texts of a wait complete the sentence "waiting for WHOM to ...".

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Something that this process waits for, until this is dropped.
#[derive(Debug)]
#[must_use = "the wait is over when this is dropped"]
pub struct Wait {
    number: u64,
}

#[derive(Debug)]
struct Waits {
    next: u64,
    /// Begin of each wait, by its number: the oldest first.
    pending: BTreeMap<u64, (Instant, Pending)>,
}

/// What a wait is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Who has to do something: `the engine at unix:///run/docker.sock`.
    pub whom: String,
    /// What it has to do: `answer GET /info`.
    pub what: String,
}

static WAITS: Mutex<Waits> = Mutex::new(Waits {
    next: 0,
    pending: BTreeMap::new(),
});

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to wait until `whom` does something.
pub fn begin(whom: impl Into<String>, what: impl Into<String>) -> Wait {
    let pending = Pending {
        whom: whom.into(),
        what: what.into(),
    };
    let mut waits = waits();
    let number = waits.next;
    waits.next += 1;
    waits.pending.insert(number, (Instant::now(), pending));
    Wait { number }
}

/// Returns what this process has waited for at least this long, the oldest first.
pub fn overdue(age: Duration) -> Vec<Pending> {
    let waits = waits();
    let long = waits
        .pending
        .values()
        .filter(|(begun, _)| begun.elapsed() >= age);
    long.map(|(_, pending)| pending.clone()).collect()
}

impl Drop for Wait {
    fn drop(&mut self) {
        waits().pending.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_known_while_they_last() {
        let pending = || -> Vec<String> {
            let pending = overdue(Duration::ZERO).into_iter();
            pending
                .map(|Pending { whom, what }| format!("{whom} to {what}"))
                .collect()
        };
        let first = begin("the first", "answer");
        let second = begin("the second", "end");
        assert_eq!(pending(), ["the first to answer", "the second to end"]);
        assert!(overdue(Duration::from_secs(3600)).is_empty());
        drop(first);
        assert_eq!(pending(), ["the second to end"]);
        drop(second);
        assert!(overdue(Duration::ZERO).is_empty());
    }
}
