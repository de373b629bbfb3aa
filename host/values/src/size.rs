//! Sizes: numbers of bytes.
//!
//! There is one grammar, that of docker's `--memory`, and four formats: [`exact`] for messages and settings,
//! [`binary`], [`human`] and [`decimal`] where docker buildx prints rounded sizes.

/// Units of [`binary`], each 1024 times the one before. `go-units` has no larger one below 2^64.
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/// Units of [`decimal`] above a byte, each 1000 times the one before.
const DECIMAL: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];

/// Parses a number of bytes in the grammar of `RAMInBytes` of Docker's `go-units`, which parses `--memory`: a
/// decimal number, then optionally one of `b k m g t p` (powers of 1024, upper or lower case), with or without
/// a following `b` or `ib`, for example `512m`, `1.5 GiB` or `1073741824`.
///
/// # Errors
///
/// A description of what is wrong with the text, with an example of a valid one.
pub fn parse(text: &str) -> Result<u64, String> {
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
        // "ib" alone is not a unit; "b" alone is bytes.
        "" if suffix != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong("the unit must be one of b, k, m, g, t, p")),
    };
    let amount = number * 1024f64.powi(exponent);
    // 2^63, the limit of engines, which an f64 represents exactly.
    if amount >= 9_223_372_036_854_775_808.0 {
        return Err(wrong("it is larger than an engine can count"));
    }
    Ok(amount as u64)
}

/// Parses a number of bytes, or `-1` for "no limit", as docker's `--memory-swap`.
///
/// # Errors
///
/// See [`parse`].
pub fn parse_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    // `parse` returns less than 2^63.
    parse(text).map(|amount| amount as i64)
}

/// Formats a number of bytes exactly, in the largest unit that gives a whole number: `4 GiB`, `1536 MiB`,
/// `1000 B`. [`parse`] returns the number again.
pub fn exact(bytes: u64) -> String {
    // The largest unit of the grammar is a PiB.
    let power = match bytes {
        0 => 0,
        _ => (bytes.trailing_zeros() / 10).min(5),
    };
    format!("{} {}", bytes >> (10 * power), BINARY[power as usize])
}

/// Formats a number of bytes with four significant digits in powers of 1024, as `BytesSize` of Docker's
/// `go-units`, which `docker buildx inspect` uses: `488.3MiB`.
pub fn binary(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut power = 0;
    while value >= 1024.0 && power + 1 < BINARY.len() {
        value /= 1024.0;
        power += 1;
    }
    format!("{}{}", four_digits(value), BINARY[power])
}

/// Formats a number of bytes with four significant digits in powers of 1000, as `HumanSize` of Docker's
/// `go-units`, which `docker buildx du` uses: `4.096kB`. A negative number counts as zero.
pub fn human(bytes: i64) -> String {
    let mut value = bytes.max(0) as f64;
    let mut unit = "B";
    for next in DECIMAL {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{}{unit}", four_digits(value))
}

/// Formats a number from 0 to 1024 as `%.4g` of Go does.
fn four_digits(value: f64) -> String {
    let decimals = match value {
        value if value >= 1000.0 => 0,
        value if value >= 100.0 => 1,
        value if value >= 10.0 => 2,
        _ => 3,
    };
    let number = format!("{value:.decimals$}");
    match number.contains('.') {
        true => number
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        false => number,
    }
}

/// Formats a number of bytes with two decimals in powers of 1000, and below 1000 as a whole number, as the
/// progress of docker buildx does: `1.05MB`, `0B`. BuildKit reports numbers with a sign.
pub fn decimal(bytes: i64) -> String {
    let mut size = bytes.unsigned_abs();
    let mut divisor = 1u64;
    let mut unit = None;
    for next in DECIMAL {
        if size < 1000 {
            break;
        }
        size /= 1000;
        divisor *= 1000;
        unit = Some(next);
    }
    match unit {
        Some(unit) => format!("{:.2}{unit}", bytes as f64 / divisor as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn human_sizes_are_those_of_go_units() {
        for (bytes, expected) in [
            (0, "0B"),
            (-5, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (4096, "4.096kB"),
            (28_672, "28.67kB"),
            (1_048_576, "1.049MB"),
            (123_456_789, "123.5MB"),
            (i64::MAX, "9.223EB"),
        ] {
            assert_eq!(human(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn exact_sizes_are_parsed_again() {
        for (bytes, expected) in [
            (0, "0 B"),
            (8, "8 B"),
            (1000, "1000 B"),
            (1024, "1 KiB"),
            (1536 << 20, "1536 MiB"),
            (64 << 20, "64 MiB"),
            (4 << 30, "4 GiB"),
            ((4 << 30) + 1, "4294967297 B"),
            (2048 << 50, "2048 PiB"),
        ] {
            assert_eq!(exact(bytes), expected);
            assert_eq!(parse(expected), Ok(bytes), "{expected}");
        }
    }

    #[test]
    fn binary_sizes_have_four_digits() {
        for (bytes, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.5KiB"),
            (1_048_064, "1024KiB"),
            (512_000_000, "488.3MiB"),
            ((3 << 20) + (1 << 19), "3.5MiB"),
            (1 << 30, "1GiB"),
            (100 << 30, "100GiB"),
            (3 << 49, "1.5PiB"),
            (u64::MAX, "16EiB"),
        ] {
            assert_eq!(binary(bytes), expected);
        }
    }

    #[test]
    fn decimal_sizes_step_by_thousand() {
        for (bytes, expected) in [
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
            assert_eq!(decimal(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn sizes_are_parsed_as_docker_parses_them() {
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
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in [
            "", "banana", "hello", "-32", "-1", " 32 ", "32m b", "32bm", "ib", "1ib", "0x10", "1e",
            ".", "1.2.3", "32  mb", "9999999p", "1zb", "+1", "inf", "NaN",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("is not a size"), "{error}");
        }
    }

    #[test]
    fn swap_may_be_unlimited() {
        assert_eq!(parse_or_unlimited("-1"), Ok(-1));
        assert_eq!(parse_or_unlimited("2g"), Ok(2 << 30));
        assert!(parse_or_unlimited("-2").is_err());
    }
}
