//! Times in the format of docker buildx. Sizes are in `iechor_values::size`.

use std::time::SystemTime;

/// Returns the seconds from `start` to `end`; negative if `end` is before `start`.
pub(crate) fn seconds_between(start: SystemTime, end: SystemTime) -> f64 {
    match end.duration_since(start) {
        Ok(duration) => duration.as_secs_f64(),
        Err(error) => -error.duration().as_secs_f64(),
    }
}

/// Formats the seconds in front of a log line with about five characters.
pub(crate) fn log_time(seconds: f64) -> String {
    let decimals = if seconds < 10.0 {
        3
    } else if seconds < 100.0 {
        2
    } else {
        1
    };
    format!("{seconds:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_times_lose_decimals_as_they_grow() {
        for (seconds, expected) in [
            (0.0, "0.000"),
            (0.1234, "0.123"),
            (9.9994, "9.999"),
            (10.0, "10.00"),
            (99.994, "99.99"),
            (100.0, "100.0"),
            (12345.67, "12345.7"),
            (-0.25, "-0.250"),
        ] {
            assert_eq!(log_time(seconds), expected, "{seconds}");
        }
    }
}
