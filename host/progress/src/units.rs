//! Numbers in the format of buildx.

use std::time::SystemTime;

const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];

/// Formats a number of bytes with two decimals in steps of 1000, and below 1000 as a whole number:
/// `1.05MB`, `0B`.
pub(crate) fn bytes(count: i64) -> String {
    let mut size = count.unsigned_abs();
    let mut divisor = 1u64;
    let mut unit = None;
    for next in UNITS {
        if size < 1000 {
            break;
        }
        size /= 1000;
        divisor *= 1000;
        unit = Some(next);
    }
    match unit {
        Some(unit) => format!("{:.2}{unit}", count as f64 / divisor as f64),
        None => format!("{count}B"),
    }
}

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
    fn bytes_step_by_thousand() {
        for (count, expected) in [
            (0, "0B"),
            (1, "1B"),
            (999, "999B"),
            (1000, "1.00kB"),
            (1024, "1.02kB"),
            (999_999, "1000.00kB"),
            (1_048_576, "1.05MB"),
            (3_370_706, "3.37MB"),
            (2_500_000_000, "2.50GB"),
            (i64::MAX, "9.22EB"),
            (-5, "-5B"),
            (-1500, "-1.50kB"),
            (i64::MIN, "-9.22EB"),
        ] {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

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
