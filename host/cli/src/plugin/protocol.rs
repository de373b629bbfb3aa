//! What the Docker CLI asks about the plugin itself: its description, candidates to complete a command line, and
//! hints after a command.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::program::{self, Name};
use crate::terminal;
use crate::version;

/// The description of the plugin (docker/cli `cli-plugins/metadata`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    schema_version: &'static str,
    vendor: &'static str,
    version: String,
    short_description: &'static str,
}

/// A command that has run (docker/cli `cli-plugins/manager/hooks.go`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Ran {
    /// The words of the configured hook that the command begins with.
    root_cmd: String,
    /// The error message; empty if the command succeeded.
    command_error: String,
}

/// A message that the Docker CLI prints below "What's next". It is a template of Go.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NextSteps {
    r#type: u8,
    template: String,
}

/// Answers a question of the Docker CLI. Returns `None` if `words` is no such question. It begins with the name of
/// the program.
pub fn answer(words: &[OsString]) -> Option<anyhow::Result<()>> {
    if program::name() != Name::DockerBuildx {
        return None;
    }
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_str()).collect();
    match words.as_slice() {
        [Some("docker-cli-plugin-metadata"), ..] => Some(terminal::pretty_json(&Metadata {
            schema_version: "0.1.0",
            vendor: "iEchor",
            version: format!("v{}", version::COMPATIBLE),
            short_description: "Docker Buildx (iechor)",
        })),
        [
            Some("buildx"),
            Some("docker-cli-plugin-hooks"),
            Some(ran),
            ..,
        ] => Some(hook(ran)),
        _ => None,
    }
}

/// Prints a hint after a command, or nothing.
fn hook(ran: &str) -> anyhow::Result<()> {
    let ran: Ran = serde_json::from_str(ran)?;
    match next_step(&ran) {
        Some(template) => terminal::json(&NextSteps {
            r#type: 0,
            template,
        }),
        None => Ok(()),
    }
}

/// Returns what to do after a command. A failed command of this program has shown its own hints already.
fn next_step(ran: &Ran) -> Option<String> {
    let is_build = ran.root_cmd.split(' ').next_back() == Some("build");
    (is_build && !ran.command_error.is_empty()).then(|| {
        format!(
            "Show the whole output of every step: {}",
            program::buildx("build --progress plain")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_build_has_a_next_step() {
        let step = |root_cmd: &str, command_error: &str| {
            next_step(&Ran {
                root_cmd: root_cmd.to_owned(),
                command_error: command_error.to_owned(),
            })
        };
        for root in ["build", "buildx build", "image build"] {
            assert!(step(root, "exit status 1").is_some(), "{root}");
            assert_eq!(step(root, ""), None, "{root}");
        }
        assert_eq!(step("pull", "not found"), None);
    }
}
