//! Arguments for the daemon.
//!
//! An existing node keeps its arguments unless the user gives new ones. Docker buildx resets them
//! on every change of the node.

/// Flag of the daemon that allows builds an entitlement.
const ALLOW: &str = "allow-insecure-entitlement";

/// The entitlement that builders in a container have by default.
const NETWORK_HOST: &str = "network.host";

/// Reasons why arguments cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagsError {
    /// A quotation mark is not closed, or nothing follows a backslash.
    #[error(
        "failed to parse buildkit flags: a quotation mark in {flags:?} is not closed, or it ends with a backslash"
    )]
    Quotes {
        /// The flags as they were given.
        flags: String,
    },
}

/// Splits arguments into words like a shell.
pub fn split(flags: &str) -> Result<Vec<String>, FlagsError> {
    shlex::split(flags).ok_or_else(|| FlagsError::Quotes {
        flags: flags.to_owned(),
    })
}

/// Returns the entitlements that arguments allow.
pub fn entitlements(flags: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let Some(name) = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')) else {
            continue;
        };
        match name.split_once('=') {
            Some((ALLOW, value)) => found.push(value),
            None if name == ALLOW => found.extend(flags.next().map(String::as_str)),
            _ => {}
        }
    }
    found
}

/// Adds `--allow-insecure-entitlement=network.host` where docker buildx does: if the builder is on
/// the host's network and the arguments do not allow it yet, or if the arguments name no
/// entitlement and the configuration does not allow this one.
///
/// For drivers that run the daemon in a container. `configured` are the entitlements of the
/// configuration file, see [`ConfigFiles`](crate::buildkitd_config::ConfigFiles).
pub fn with_default_entitlements(
    mut flags: Vec<String>,
    network_is_host: bool,
    configured: &[String],
) -> Vec<String> {
    let allowed = entitlements(&flags);
    let add = if network_is_host && !allowed.contains(&NETWORK_HOST) {
        true
    } else {
        allowed.is_empty() && !configured.iter().any(|name| name == NETWORK_HOST)
    };
    if add {
        flags.push(format!("--{ALLOW}={NETWORK_HOST}"));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_split_as_by_a_shell() {
        for (text, expected) in [
            ("", vec![]),
            (
                "--debug  --oci-worker-gc=true",
                vec!["--debug", "--oci-worker-gc=true"],
            ),
            (
                "--label 'a b' --x=\"c \\\" d\"",
                vec!["--label", "a b", "--x=c \" d"],
            ),
            ("--empty ''", vec!["--empty", ""]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        for text in ["--a 'b", "--a \"b", "--a \\"] {
            assert!(split(text).is_err(), "{text}");
        }
        assert_eq!(
            split("--a 'b").unwrap_err().to_string(),
            "failed to parse buildkit flags: a quotation mark in \"--a 'b\" is not closed, or it ends with a backslash"
        );
    }

    #[test]
    fn network_host_is_allowed_by_default() {
        const ADDED: &str = "--allow-insecure-entitlement=network.host";
        let insecure = "--allow-insecure-entitlement security.insecure";
        let network = "--allow-insecure-entitlement network.host";
        let single = "-allow-insecure-entitlement=network.host";
        let configured = ["network.host".to_owned()];
        let other = ["security.insecure".to_owned()];
        for (text, on_host, configured, adds) in [
            ("", false, &[][..], true),
            ("", true, &[], true),
            ("--unknown --debug", false, &[], true),
            (insecure, false, &[], false),
            (insecure, true, &[], true),
            (network, false, &[], false),
            (network, true, &[], false),
            (ADDED, true, &[], false),
            (single, true, &[], false),
            // Docker buildx stops reading at an unknown flag.
            (
                "--unknown x --allow-insecure-entitlement=network.host",
                true,
                &[],
                false,
            ),
            ("", false, &configured, false),
            ("", true, &configured, true),
            ("", false, &other, true),
            ("--allow-insecure-entitlement", true, &[], true),
        ] {
            let flags = split(text).unwrap();
            let mut expected = flags.clone();
            if adds {
                expected.push(ADDED.to_owned());
            }
            assert_eq!(
                with_default_entitlements(flags, on_host, configured),
                expected,
                "{text:?} {on_host} {configured:?}"
            );
        }
    }
}
