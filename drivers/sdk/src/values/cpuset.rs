//! Lists of processors.

/// Checks a list of processors or memory nodes, as engines and the kernel's cpuset take it: numbers
/// and ranges, without spaces, `0-2,4`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn cpuset(text: &str) -> Result<String, String> {
    let number = |part: &str| {
        let is_plain = part.bytes().all(|b| b.is_ascii_digit());
        is_plain.then(|| part.parse::<u32>().ok()).flatten()
    };
    let is_right = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
    };
    if text.split(',').all(is_right) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not a list of numbers and ranges (for example 0-2,4)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpusets() {
        for text in ["0", "0-2", "0-2,4", "1,3", "0-0"] {
            assert_eq!(cpuset(text), Ok(text.to_owned()));
        }
        for text in [
            "",
            "a",
            "2-1",
            "0-",
            ",",
            "0,,1",
            "-1",
            " 0 - 1",
            "0 ",
            "0, 1",
            "+1",
            "0-1-2",
            "0\n",
            "99999999999",
        ] {
            assert!(cpuset(text).is_err(), "{text:?}");
        }
    }
}
