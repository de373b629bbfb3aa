//! Amounts of bytes.

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
}
