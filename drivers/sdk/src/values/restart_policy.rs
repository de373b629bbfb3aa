//! When an engine starts a container again.

pub use crate::container::RestartPolicy;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
