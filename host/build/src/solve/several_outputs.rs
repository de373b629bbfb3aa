//! Detection of daemons that support several outputs, or attestations.

use iechor_buildkit::{Client, Error, Worker};

/// The first minor version of BuildKit 0.x that supports several outputs.
const FIRST: u32 = 13;

/// The first minor version of BuildKit 0.x that supports attestations.
const FIRST_WITH_ATTESTATIONS: u32 = 11;

/// Returns whether BuildKit supports several exporters. BuildKit before 0.13, and BuildKit that does not
/// report its version, uses the first exporter and ignores the others.
///
/// # Errors
///
/// Returns an error if the daemon does not answer.
pub(super) async fn are_supported(client: &Client, workers: &[Worker]) -> Result<bool, Error> {
    is_at_least(client, workers, FIRST).await
}

/// Returns whether BuildKit supports attestations. BuildKit before 0.11 and BuildKit that does not report
/// its version do not.
///
/// # Errors
///
/// Returns an error if the daemon does not answer.
pub(super) async fn has_attestations(client: &Client, workers: &[Worker]) -> Result<bool, Error> {
    is_at_least(client, workers, FIRST_WITH_ATTESTATIONS).await
}

async fn is_at_least(client: &Client, workers: &[Worker], minor: u32) -> Result<bool, Error> {
    let of_worker = workers.iter().find_map(|worker| worker.version.clone());
    let version = match of_worker {
        Some(version) => Some(version),
        None => client.version().await?,
    };
    Ok(version.is_some_and(|version| is_in(&version.version, minor)))
}

fn is_in(version: &str, first: u32) -> bool {
    let mut numbers = version
        .trim_start_matches('v')
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(0), Some(minor)) => minor >= first,
        // A version in another format is assumed to be new.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, expected) in [
            ("v0.12.5", false),
            ("0.9.0-rc1", false),
            ("v0.13.0", true),
            ("v0.25.2", true),
            ("v1.0.0", true),
            ("master-2026", true),
        ] {
            assert_eq!(is_in(version, FIRST), expected, "{version}");
        }
    }
}
