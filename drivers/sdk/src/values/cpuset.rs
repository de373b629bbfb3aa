//! Lists of processors.

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
    fn cpusets() {
        for text in ["0", "0-2", "0-2,4", "1,3"] {
            assert!(cpuset(text).is_ok(), "{text}");
        }
        for text in ["", "a", "2-1", "0-", ",", "0,,1", "-1"] {
            assert!(cpuset(text).is_err(), "{text}");
        }
    }
}
