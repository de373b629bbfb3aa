//! Flags of buildkitd that a driver may set by itself.
//!
//! A flag is in [`ALLOWED`] where all that it can do is set how much BuildKit keeps, for which
//! platforms it builds and how it stores layers. Not in it, and so for the user to give, are:
//!
//! * `--addr`, `--group`, `--tlscert`, `--tlskey`, `--tlscacert`, `--debugaddr`: open BuildKit to
//!   others than the host, the last one with its memory;
//! * `--oci-worker-binary`, `--oci-cni-binary-dir`, `--oci-cni-config-path`, `--cdi-spec-dir`,
//!   `--oci-worker-proxy-snapshotter-path`, `--containerd-*`: name programs, or who holds the layers;
//! * `--root`: state that was prepared elsewhere;
//! * `--otel-socket-path`: sends what is built somewhere;
//! * `--debug`, `--trace`, `--save-cache-debug`: write what is built to the log, which a driver reads;
//! * `--oci-worker-no-process-sandbox`, `--oci-worker-apparmor-profile`: let a build step at the
//!   processes of BuildKit and of other builds;
//! * whatever this list does not know.

use super::configuration;

/// What the value of a flag may be.
enum Value {
    /// None, `=true` or `=false`.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A number.
    Number,
    /// `NAME=VALUE`, of a name that is not BuildKit's own.
    Label,
    /// Platforms, with commas between.
    Platforms,
    /// A path of a file in the configuration directory.
    Configuration,
}

/// The flags, without the hyphens before them.
const ALLOWED: &[(&str, Value)] = &[
    ("config", Value::Configuration),
    ("log-format", Value::OneOf(&["text", "json"])),
    (
        "allow-insecure-entitlement",
        Value::OneOf(&["network.host", "security.insecure"]),
    ),
    ("rootless", Value::Switch),
    ("oci-worker", Value::OneOf(&["true", "false", "auto"])),
    ("oci-worker-labels", Value::Label),
    (
        "oci-worker-snapshotter",
        Value::OneOf(configuration::SNAPSHOTTERS),
    ),
    ("oci-worker-platform", Value::Platforms),
    ("oci-worker-net", Value::OneOf(configuration::NETWORKS)),
    ("oci-worker-rootless", Value::Switch),
    ("oci-worker-selinux", Value::Switch),
    ("oci-worker-gc", Value::Switch),
    ("oci-worker-gc-keepstorage", Value::Number),
    ("oci-max-parallelism", Value::Number),
];

/// Returns which word of a command is no flag that a driver may set, nor one of the user's.
pub(super) fn chosen(command: &[String], users: &[String]) -> Option<String> {
    let units = units(users);
    let mut rest = command;
    while let Some(word) = rest.first() {
        let length = if !users.is_empty() && rest.starts_with(users) {
            users.len()
        } else if let Some(unit) = units.iter().find(|unit| rest.starts_with(unit)) {
            unit.len()
        } else if let Some(length) = allowed(word, rest.get(1).map(String::as_str)) {
            length
        } else {
            return Some(format!(
                "argument {word:?}, which is no flag of buildkitd that a driver may set by itself"
            ));
        };
        rest = &rest[length..];
    }
    None
}

/// Returns the user's flags, each with its value where that is a word of its own.
fn units(flags: &[String]) -> Vec<&[String]> {
    let mut units = Vec::new();
    let mut rest = flags;
    while let Some(word) = rest.first() {
        let takes_next = word.starts_with('-')
            && !word.contains('=')
            && rest.get(1).is_some_and(|next| !next.starts_with('-'));
        let (unit, behind) = rest.split_at(1 + usize::from(takes_next));
        units.push(unit);
        rest = behind;
    }
    units
}

/// Returns how many words the flag is that begins here; `None` where it is none that is allowed.
fn allowed(word: &str, next: Option<&str>) -> Option<usize> {
    let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    let (_, kind) = ALLOWED.iter().find(|(known, _)| *known == name)?;
    match (kind, value) {
        (Value::Switch, None) => Some(1),
        (_, Some(value)) => kind.allows(value).then_some(1),
        (_, None) => kind.allows(next?).then_some(2),
    }
}

impl Value {
    fn allows(&self, value: &str) -> bool {
        match self {
            Self::Switch => matches!(value, "true" | "false"),
            Self::OneOf(words) => words.contains(&value),
            Self::Number => {
                !value.is_empty() && value.len() < 19 && value.bytes().all(|b| b.is_ascii_digit())
            }
            Self::Label => value
                .split_once('=')
                .is_some_and(|(name, value)| configuration::is_label(name, value)),
            Self::Platforms => value.split(',').all(configuration::is_platform),
            Self::Configuration => configuration::below(value).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, users: &str) -> Option<String> {
        let words = |text: &str| -> Vec<_> { text.split_whitespace().map(str::to_owned).collect() };
        chosen(&words(command), &words(users))
    }

    #[test]
    fn flags_that_name_no_program_and_no_address_are_a_drivers_to_set() {
        for command in [
            "",
            "--config /etc/buildkit/buildkitd.toml",
            "--config=/etc/buildkit/sub/other.toml --rootless",
            "--allow-insecure-entitlement=network.host --allow-insecure-entitlement security.insecure",
            "--oci-worker-gc=false --oci-worker-gc-keepstorage 9000 --oci-worker-gc",
            "-oci-worker-platform linux/amd64,linux/arm64/v8 --oci-worker-labels com.example.a=b",
            "--oci-worker-snapshotter=native --oci-worker=true --oci-worker-net host --log-format=json",
        ] {
            assert_eq!(check(command, ""), None, "{command}");
        }
    }

    #[test]
    fn others_are_not() {
        for command in [
            "sh -c x",
            "buildkitd",
            "--config /tmp/x.toml",
            "--config=/etc/buildkit/../x.toml",
            "--config",
            "--config --rootless",
            "--addr tcp://0.0.0.0:1234",
            "--addr=unix:///srv/x",
            "--debugaddr=0.0.0.0:1",
            "--root /mnt/x",
            "--debug",
            "--trace",
            "--otel-socket-path=/srv/x",
            "--oci-worker-binary=/var/lib/buildkit/runc",
            "--oci-cni-binary-dir /srv/x",
            "--oci-cni-config-path=/srv/x",
            "--oci-worker-proxy-snapshotter-path=/srv/x",
            "--oci-worker-no-process-sandbox",
            "--oci-worker-apparmor-profile=unconfined",
            "--oci-worker-labels org.mobyproject.buildkit.worker.moby.host-gateway-ip=6.6.6.6",
            "--containerd-worker-addr=/srv/x",
            "--cdi-spec-dir=/srv/x",
            "--group 1000",
            "--tlscert=/srv/x",
            "--oci-worker-gc sh",
            "--oci-worker-gc=sh",
            "--oci-worker-gc-keepstorage=-1",
            "--rootless -- sh",
            "--unknown",
            "---rootless",
            "--",
            "-",
        ] {
            assert!(check(command, "").is_some(), "{command}");
        }
    }

    #[test]
    fn what_the_user_said_is_handed_on_as_he_said_it() {
        let users = "--addr tcp://0.0.0.0:1 --debug --root=/x --oci-worker-binary a";
        for command in [
            users,
            "--debug",
            "--root=/x --addr tcp://0.0.0.0:1",
            "--config /etc/buildkit/buildkitd.toml --addr tcp://0.0.0.0:1 --debug --root=/x \
             --oci-worker-binary a --rootless",
        ] {
            assert_eq!(check(command, users), None, "{command}");
        }
        for command in [
            "--addr",
            "--addr a",
            "--addr=tcp://0.0.0.0:1",
            "--root /x",
            "--root=/y",
            "--oci-worker-binary tcp://0.0.0.0:1",
            "a",
            "tcp://0.0.0.0:1",
        ] {
            assert!(check(command, users).is_some(), "{command}");
        }
    }
}
