//! Commands that the host runs in a container for any driver that may use it.

use crate::bindings::iechor::driver::container::ExecSpec;

/// How to connect to BuildKit.
const TO_DIAL: &[&[&str]] = &[&["buildctl", "dial-stdio"]];

/// How to ask for its version, and as docker buildx does whether it has workers. None of it shows
/// anything of a build.
const TO_RUN: &[&[&str]] = &[
    &["buildkitd", "--version"],
    &["buildctl", "--version"],
    &["buildctl", "debug", "workers"],
];

/// Returns what of a command to connect through is the driver's choice.
pub(in super::super) fn chosen_to_dial(spec: &ExecSpec) -> Option<String> {
    chosen(spec, TO_DIAL)
}

/// Returns what of a command to run is the driver's choice.
pub(in super::super) fn chosen_to_run(spec: &ExecSpec) -> Option<String> {
    chosen(spec, TO_RUN)
}

fn chosen(spec: &ExecSpec, fixed: &[&[&str]]) -> Option<String> {
    let is_fixed = fixed.iter().any(|words| spec.command.as_slice() == *words);
    if !is_fixed {
        let program = spec.command.first().map_or("", String::as_str);
        let known: Vec<_> = fixed.iter().map(|words| words.join(" ")).collect();
        return Some(format!(
            "command {program:?} with its arguments, which is none of: {}",
            known.join(", ")
        ));
    }
    if let Some((name, _)) = spec.env.first() {
        return Some(format!("environment variable {name:?} of a command"));
    }
    if spec.user.is_some() {
        return Some("a user of its own for a command".into());
    }
    spec.workdir
        .is_some()
        .then(|| "a working directory of its own for a command".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(words: &str) -> ExecSpec {
        ExecSpec {
            command: words.split_whitespace().map(str::to_owned).collect(),
            env: Vec::new(),
            user: None,
            workdir: None,
        }
    }

    #[test]
    fn commands_are_compared_word_by_word() {
        assert_eq!(chosen_to_dial(&spec("buildctl dial-stdio")), None);
        for words in [
            "",
            "buildctl",
            "buildctl dial-stdio x",
            "/usr/bin/buildctl dial-stdio",
            "./buildctl dial-stdio",
            "tee /mnt/x",
            "sh -c tee|buildctl",
            "buildkitd --version",
        ] {
            assert!(chosen_to_dial(&spec(words)).is_some(), "{words}");
        }
        for words in TO_RUN {
            assert_eq!(chosen_to_run(&spec(&words.join(" "))), None);
        }
        for words in ["sh", "buildctl dial-stdio", "buildctl du", "cat /etc/x"] {
            assert!(chosen_to_run(&spec(words)).is_some(), "{words}");
        }
    }

    #[test]
    fn nothing_around_a_command_is_a_drivers_to_choose() {
        let plain = spec("buildctl dial-stdio");
        let with_env = ExecSpec {
            env: vec![("PATH".into(), "/mnt".into())],
            ..plain.clone()
        };
        let with_user = ExecSpec {
            user: Some("0".into()),
            ..plain.clone()
        };
        let with_directory = ExecSpec {
            workdir: Some("/mnt".into()),
            ..plain
        };
        for spec in [with_env, with_user, with_directory] {
            assert!(chosen_to_dial(&spec).is_some(), "{spec:?}");
        }
    }
}
