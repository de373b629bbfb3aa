//! The progress of a download that takes a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use iechor_values::size;

use crate::terminal;

/// Time between two updates at a terminal.
const OFTEN: Duration = Duration::from_millis(200);
/// Time between two updates elsewhere.
const SELDOM: Duration = Duration::from_secs(5);

/// A download whose progress is shown on standard error. Its line is erased at the end.
pub struct Download {
    terminal: bool,
    said: Mutex<(Instant, bool)>,
}

impl Download {
    /// Returns a download of which nothing is shown yet.
    pub fn new() -> Self {
        Self {
            terminal: terminal::is_terminal(),
            said: Mutex::new((Instant::now(), false)),
        }
    }

    /// Shows the number of bytes that were received, in intervals.
    pub fn show(&self, received: u64, total: Option<u64>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = if self.terminal { OFTEN } else { SELDOM };
        if said.0.elapsed() < pause {
            return;
        }
        *said = (Instant::now(), true);
        let of = total.map(|total| format!(" of {}", size::binary(total)));
        let text = format!(
            "downloading: {}{}",
            size::binary(received),
            of.unwrap_or_default()
        );
        if self.terminal {
            terminal::transient(&text);
        } else {
            terminal::say(&text);
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if self.terminal && said.1 {
            terminal::end_transient();
        }
    }
}
