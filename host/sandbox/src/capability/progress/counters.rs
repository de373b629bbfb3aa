//! Selects the changes of a driver's counters that are shown.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::limits;
use crate::report::StepId;

/// How often one counter is shown.
const INTERVAL: Duration = Duration::from_millis(100);

/// The counters of an operation. A driver may change them as often as it likes: the number of changes that are
/// shown is bounded.
#[derive(Default)]
pub(crate) struct Counters {
    known: HashMap<(StepId, String), Shown>,
    /// The second that has begun, and how many changes were shown in it.
    second: Option<(Instant, u32)>,
}

struct Shown {
    last: Instant,
    /// Its end was shown.
    finished: bool,
}

impl Counters {
    /// Returns whether a change is to be shown now. The beginning and the end of a counter are shown once; of
    /// the changes between, a few each second, for each counter and for all together.
    pub(crate) fn is_due(
        &mut self,
        step: StepId,
        counter: &str,
        finished: bool,
        now: Instant,
    ) -> bool {
        let key = (step, counter.to_owned());
        let Some(shown) = self.known.get_mut(&key) else {
            if self.known.len() >= limits::COUNTERS {
                return false;
            }
            let shown = Shown {
                last: now,
                finished,
            };
            self.known.insert(key, shown);
            return true;
        };
        if !finished || shown.finished {
            let second = self.second.get_or_insert((now, 0));
            if now.duration_since(second.0) >= Duration::from_secs(1) {
                *second = (now, 0);
            }
            if now.duration_since(shown.last) < INTERVAL || second.1 >= limits::COUNTER_CHANGES {
                return false;
            }
            second.1 += 1;
        }
        shown.last = now;
        shown.finished |= finished;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: StepId = StepId(0);

    #[test]
    fn the_beginning_and_the_end_are_shown_and_a_few_changes_between() {
        let mut counters = Counters::default();
        let start = Instant::now();
        let mut due = |millis: u64, finished: bool| {
            counters.is_due(
                STEP,
                "layer",
                finished,
                start + Duration::from_millis(millis),
            )
        };
        assert!(due(0, false));
        assert!(!due(50, false));
        assert!(due(100, false));
        assert!(due(101, true));
        assert!(!due(102, true));
        assert!(!due(103, false));
        assert!(due(201, true));
    }

    #[test]
    fn no_number_of_counters_and_no_time_lets_more_through() {
        let mut counters = Counters::default();
        let start = Instant::now();
        let mut shown = 0;
        // A change of each of many counters every 10 ms, for 10 s.
        for tick in 0..1000u64 {
            let now = start + Duration::from_millis(10 * tick);
            for counter in 0..2000 {
                let finished = (tick + counter) % 2 == 0;
                shown += usize::from(counters.is_due(STEP, &counter.to_string(), finished, now));
            }
        }
        let most = 2 * limits::COUNTERS + 10 * limits::COUNTER_CHANGES as usize;
        assert!(shown > limits::COUNTERS && shown <= most, "{shown}");
    }
}
