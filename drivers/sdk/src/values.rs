//! Values of options, parsed as container engines' own command lines parse them.
//!
//! Every error is one clause without the option's name: the caller puts the name before it.

/// When an engine starts a container again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// `no`
    No,
    /// `always`
    Always,
    /// `unless-stopped`
    UnlessStopped,
    /// `on-failure[:N]`; 0 is no limit.
    OnFailure(u32),
}

/// Parses an amount of bytes, in the manner of Docker's `RAMInBytes`: a number, then optionally
/// one of `b k m g t p` (powers of 1024, upper or lower case), with or without a following `b` or
/// `ib`. `512m`, `1.5 GiB` and `1073741824` are such amounts.
///
/// # Errors
///
/// What is wrong with the text, and an example of a right one.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| format!("{text:?} is not a size: {why} (for example 512m or 2g)");
    let digits_end = text
        .rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')
        .map(|at| at + 1)
        .ok_or_else(|| wrong("it has no number"))?;
    let (number, suffix) = text.split_at(digits_end);
    let number = number.strip_suffix(' ').unwrap_or(number);
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(wrong("the number must be a positive decimal one"));
    }
    let number: f64 = number
        .parse()
        .map_err(|_| wrong("the number must be a positive decimal one"))?;
    let suffix = suffix.to_ascii_lowercase();
    let exponent = match suffix
        .strip_suffix("ib")
        .or(suffix.strip_suffix('b'))
        .unwrap_or(&suffix)
    {
        // "ib" alone is no unit; "b" alone is bytes.
        "" if suffix != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong("the unit must be one of b, k, m, g, t, p")),
    };
    let amount = number * 1024f64.powi(exponent);
    // 2^63, the engine's own limit; exactly representable.
    if amount >= 9_223_372_036_854_775_808.0 {
        return Err(wrong("it is larger than an engine can count"));
    }
    Ok(amount as u64)
}

/// Parses an amount of bytes, or `-1` for "no limit".
///
/// # Errors
///
/// As [`bytes`].
pub fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    // `bytes` stays below 2^63.
    bytes(text).map(|amount| amount as i64)
}

/// Parses a decimal whole number.
///
/// # Errors
///
/// What is wrong with the text.
pub fn integer(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a whole number (for example 100000)"))
}

/// Parses a truth value, as Go's `strconv.ParseBool`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// Parses a restart policy: `no`, `always`, `unless-stopped` or `on-failure[:N]`.
///
/// # Errors
///
/// What is wrong with the text, and what there is to choose from.
pub fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    let wrong = |why: String| {
        format!("{why} (one of no, always, unless-stopped, on-failure, on-failure:N)")
    };
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    let retries = match count {
        None => None,
        Some(count) => Some(count.parse::<u32>().map_err(|_| {
            wrong(format!(
                "{text:?}: the number of attempts must be a whole number"
            ))
        })?),
    };
    match (name, retries) {
        ("on-failure", retries) => Ok(RestartPolicy::OnFailure(retries.unwrap_or(0))),
        ("no" | "always" | "unless-stopped", Some(_)) => Err(wrong(format!(
            "{text:?}: only on-failure takes a number of attempts"
        ))),
        ("no", None) => Ok(RestartPolicy::No),
        ("always", None) => Ok(RestartPolicy::Always),
        ("unless-stopped", None) => Ok(RestartPolicy::UnlessStopped),
        _ => Err(wrong(format!("{text:?} is not a restart policy"))),
    }
}

/// Checks a list of processors or memory nodes, as the kernel's cpuset takes it: `0-2,4`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn cpuset(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not a list of numbers and ranges (for example 0-2,4)");
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.trim().parse().map_err(|_| wrong())?;
        let last: u32 = last.trim().parse().map_err(|_| wrong())?;
        if last < first {
            return Err(wrong());
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_the_engine_reads_them() {
        for (text, expected) in [
            ("0", 0),
            ("32", 32),
            ("32b", 32),
            ("32B", 32),
            ("32k", 32 << 10),
            ("32K", 32 << 10),
            ("32kb", 32 << 10),
            ("32Kb", 32 << 10),
            ("32Kib", 32 << 10),
            ("32Mb", 32 << 20),
            ("32 GiB", 32 << 30),
            ("32.5kB", 33_280),
            ("1.5g", 1_610_612_736),
            ("2t", 2 << 40),
            ("1p", 1 << 50),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in [
            "", "banana", "hello", "-32", "-1", " 32 ", "32m b", "32bm", "ib", "1ib", "0x10", "1e",
            ".", "1.2.3", "32  mb", "9999999p", "1zb", "+1", "inf", "NaN",
        ] {
            let error = bytes(text).expect_err(text);
            assert!(error.contains("is not a size"), "{error}");
        }
    }

    #[test]
    fn swap_may_be_unlimited() {
        assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
        assert_eq!(bytes_or_unlimited("2g"), Ok(2 << 30));
        assert!(bytes_or_unlimited("-2").is_err());
    }

    #[test]
    fn restart_policies() {
        for (text, expected) in [
            ("no", RestartPolicy::No),
            ("always", RestartPolicy::Always),
            ("unless-stopped", RestartPolicy::UnlessStopped),
            ("on-failure", RestartPolicy::OnFailure(0)),
            ("on-failure:3", RestartPolicy::OnFailure(3)),
        ] {
            assert_eq!(restart_policy(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "sometimes",
            "always:2",
            "on-failure:x",
            "on-failure:-1",
            ":2",
            "No",
        ] {
            let error = restart_policy(text).expect_err(text);
            assert!(error.contains("unless-stopped"), "{error}");
        }
    }

    #[test]
    fn truth_and_numbers() {
        assert_eq!(boolean("True"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("yes").is_err());
        assert_eq!(integer("-1"), Ok(-1));
        assert!(integer("1.5").is_err());
        assert!(integer("").is_err());
    }

    #[test]
    fn cpusets() {
        for text in ["0", "0-2", "0-2,4", "1,3"] {
            assert!(cpuset(text).is_ok(), "{text}");
        }
        for text in ["", "a", "2-1", "0-", ",", "0,,1", "-1"] {
            assert!(cpuset(text).is_err(), "{text}");
        }
    }
}
