//! Durations.

use std::time::Duration;

/// Maximum number of nanoseconds that Go's `time.Duration` can hold.
const LONGEST: u128 = i64::MAX as u128;

/// Parses a duration in the grammar of Go's `time.ParseDuration`, which docker and docker buildx use: one or
/// more decimal numbers, each with one of the units `ns us µs ms s m h`, for example `90s`, `1m30s` or `1.5h`.
/// `0` needs no unit. Unlike Go, it refuses a negative duration.
///
/// # Errors
///
/// A description of what is wrong with the text, with an example of a valid one.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| format!("{text:?} is not a duration: {why} (for example 90s or 1m30s)");
    if text.starts_with('-') {
        return Err(wrong("it is negative"));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(wrong("it has no number"));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(wrong("a number is missing"));
        }
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit: u128 = match unit {
            "ns" => 1,
            // The micro sign, and the Greek letter that looks like it.
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(wrong("a unit is missing")),
            _ => return Err(wrong("a unit must be one of ns, us, ms, s, m, h")),
        };
        let nanoseconds = scaled(whole, fraction, unit).map(|part| part + total);
        total = nanoseconds
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| wrong("it is longer than 292 years"))?;
        rest = after;
    }
    // At most `LONGEST`, which is below 2^63.
    Ok(Duration::from_nanos(total as u64))
}

/// Formats a duration roughly, as `HumanDuration` of Docker's `go-units`, which `docker buildx du` uses:
/// `Less than a second`, `About a minute`, `3 weeks`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let minutes = seconds / 60;
    // Rounded, unlike the others.
    let hours = (seconds + 1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// Formats a duration exactly, as Go prints a `time.Duration` of whole seconds: `48h0m0s`, `1m30s`, `0s`.
pub fn exact(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// Splits the digits off the beginning of a text.
fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Returns `whole.fraction` units in nanoseconds; `None` if the number is too large.
fn scaled(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    // Eighteen digits divide an hour into less than a nanosecond; further digits make no difference.
    let fraction = &fraction[..fraction.len().min(18)];
    let number = |digits: &str| match digits {
        "" => Some(0),
        digits => digits.parse::<u64>().ok().map(u128::from),
    };
    let parts = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(number(whole)? * unit + number(fraction)? * unit / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_as_by_go() {
        const HOUR: u64 = 3600;
        for (seconds, expected) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (HOUR - 1, "59 minutes"),
            (HOUR, "About an hour"),
            (HOUR + 1800, "2 hours"),
            (47 * HOUR, "47 hours"),
            (48 * HOUR, "2 days"),
            (15 * 24 * HOUR, "2 weeks"),
            (70 * 24 * HOUR, "2 months"),
            (800 * 24 * HOUR, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), expected, "{seconds}");
        }
        for (seconds, expected) in [
            (0, "0s"),
            (90, "1m30s"),
            (172_800, "48h0m0s"),
            (5_184_001, "1440h0m1s"),
        ] {
            assert_eq!(exact(seconds), expected);
        }
    }

    #[test]
    fn durations_are_parsed_as_go_parses_them() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("30s", 30_000_000_000),
            ("+5s", 5_000_000_000),
            ("5.0s", 5_000_000_000),
            ("5.6s", 5_600_000_000),
            ("5.s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12\u{b5}s", 12_000),
            ("12\u{3bc}s", 12_000),
            ("13ms", 13_000_000),
            ("15m", 900_000_000_000),
            ("16h", 57_600_000_000_000),
            ("3h30m", 12_600_000_000_000),
            ("1m30s", 90_000_000_000),
            ("10.5s4m", 250_500_000_000),
            ("39h9m14.425s", 140_954_425_000_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", i64::MAX as u64),
            ("9007199254740993ns", 9_007_199_254_740_993),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "-5s",
            "3000000h",
            "9223372036854775808ns",
            "99999999999999999999s",
            "1m 30s",
            "1e3s",
            "half an hour",
            "1s5",
            "1..5s",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("is not a duration"), "{error}");
        }
    }
}
