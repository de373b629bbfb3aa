//! The file of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// A scenario as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) summary: String,
    #[serde(default)]
    pub(super) drivers: Vec<String>,
    #[serde(default)]
    pub(super) config: Config,
    #[serde(default)]
    pub(super) world: World,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Config {
    pub(super) name: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) options: BTreeMap<String, String>,
    pub(super) buildkitd_flags: Vec<String>,
    pub(super) platforms: Vec<String>,
    pub(super) files: Vec<ConfigFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) path: String,
    #[serde(default = "readable")]
    pub(super) mode: u32,
    #[serde(default)]
    pub(super) contents: String,
}

fn readable() -> u32 {
    0o644
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct World {
    pub(super) granted: Option<Vec<String>>,
    pub(super) images: Vec<String>,
    pub(super) registry: Option<Vec<String>>,
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Named>,
    pub(super) networks: Vec<Named>,
    pub(super) buildkit: Option<BuildKit>,
    pub(super) process: Option<Process>,
    pub(super) network: Option<Network>,
    pub(super) engine: Option<Engine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) state: ContainerState,
}

#[derive(Debug, Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ContainerState {
    #[default]
    Created,
    Running,
    Exited,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Clone, Copy)]
#[serde(
    untagged,
    expecting = "at-once, never, hangs, without-workers or a number"
)]
pub(super) enum BuildKit {
    Named(BuildKitAnswers),
    After(u32),
}

#[derive(Debug, Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BuildKitAnswers {
    AtOnce,
    Never,
    Hangs,
    WithoutWorkers,
}

#[derive(Debug, Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Process {
    pub(super) log: Vec<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) after_calls: u64,
    pub(super) out_of_memory: bool,
    pub(super) cannot_start: Option<String>,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Network {
    Open,
    Refused,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Engine {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) cgroup_driver: Option<String>,
    pub(super) rootless: Option<bool>,
    pub(super) user_namespaces: Option<bool>,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Validate,
    Info,
    Boot,
    Dial,
    Version,
    Features,
    Stop,
    Remove,
    HostGateway,
    Sleep,
    Kill,
    StopContainer,
    RemoveContainer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Step {
    #[serde(rename = "do")]
    pub(super) action: Action,
    pub(super) error: Option<String>,
    #[serde(default, deserialize_with = "one_or_more")]
    pub(super) says: Vec<String>,
    pub(super) returns: Option<String>,
    pub(super) objects: Option<Vec<String>>,
    #[serde(default, deserialize_with = "span")]
    pub(super) within: Option<Duration>,
    #[serde(default)]
    pub(super) force: bool,
    #[serde(default, deserialize_with = "span")]
    pub(super) grace: Option<Duration>,
    #[serde(default)]
    pub(super) keep_state: bool,
    #[serde(default)]
    pub(super) keep_daemon: bool,
    pub(super) fault: Option<Fault>,
    pub(super) cancel_at: Option<u64>,
    pub(super) container: Option<String>,
    pub(super) exit_code: Option<i64>,
    #[serde(default, rename = "for", deserialize_with = "span")]
    pub(super) span: Option<Duration>,
    pub(super) buildkit: Option<BuildKit>,
    pub(super) process: Option<Process>,
    pub(super) network: Option<Network>,
}

#[derive(Debug, Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    pub(super) call: Option<u64>,
    pub(super) connection: Option<u64>,
    pub(super) kind: FaultKind,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FaultKind {
    Error,
    LostAnswer,
    Hang,
}

/// How operations can fail.
const ERRORS: [&str; 16] = [
    "not-found",
    "already-exists",
    "conflict",
    "denied",
    "invalid-argument",
    "not-running",
    "unavailable",
    "timeout",
    "cancelled",
    "limit-exceeded",
    "unsupported",
    "engine",
    "other",
    "crashed",
    "over-budget",
    "invalid-configuration",
];

impl File {
    /// Reads one; the error has the line and the column.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut faults = Vec::new();
        if file.steps.is_empty() {
            faults.push("there are no steps".to_owned());
        }
        for (number, step) in file.steps.iter().enumerate() {
            let mut fault = |what: String| faults.push(format!("step {}: {what}", number + 1));
            if let Some(error) = &step.error
                && !ERRORS.contains(&error.as_str())
            {
                fault(format!(
                    "there is no error {error:?}; there are {}",
                    ERRORS.join(", ")
                ));
            }
            for key in step.misplaced() {
                fault(format!("{key} has no meaning for {:?}", step.action));
            }
            if let Some(key) = step.missing() {
                fault(format!("{key} is missing for {:?}", step.action));
            }
            if let Some(Fault {
                call, connection, ..
            }) = step.fault
                && call.is_some() == connection.is_some()
            {
                fault("a fault is at a call or at a connection".into());
            }
        }
        if faults.is_empty() {
            Ok(file)
        } else {
            Err(faults.join("\n"))
        }
    }

    /// A key that only a simulated engine can give.
    pub(super) fn needs_simulation(&self) -> Option<&'static str> {
        let world = &self.world;
        let of_world = [
            ("world.buildkit", world.buildkit.is_some()),
            ("world.process", world.process.is_some()),
            ("world.network", world.network.is_some()),
            ("world.engine", world.engine.is_some()),
            ("world.granted", world.granted.is_some()),
        ];
        let of_steps = self.steps.iter().flat_map(|step| {
            [
                ("within", step.within.is_some()),
                ("fault", step.fault.is_some()),
                ("cancel-at", step.cancel_at.is_some()),
                ("buildkit", step.buildkit.is_some()),
                ("process", step.process.is_some()),
                ("network", step.network.is_some()),
                ("kill", step.action == Action::Kill),
            ]
        });
        let mut all = of_world.into_iter().chain(of_steps);
        all.find(|(_, used)| *used).map(|(key, _)| key)
    }
}

impl Step {
    fn is_operation(&self) -> bool {
        use Action::{Kill, RemoveContainer, Sleep, StopContainer};
        !matches!(self.action, Sleep | Kill | StopContainer | RemoveContainer)
    }

    fn misplaced(&self) -> Vec<&'static str> {
        use Action::{HostGateway, Info, Kill, Remove, Sleep, Stop, Version};
        let of_container = !self.is_operation() && self.action != Sleep;
        [
            ("error", self.error.is_some(), self.is_operation()),
            ("says", !self.says.is_empty(), self.error.is_some()),
            (
                "returns",
                self.returns.is_some(),
                matches!(self.action, Info | Version | HostGateway),
            ),
            ("within", self.within.is_some(), self.is_operation()),
            ("force", self.force, matches!(self.action, Stop | Remove)),
            ("grace", self.grace.is_some(), self.action == Stop),
            ("keep-state", self.keep_state, self.action == Remove),
            ("keep-daemon", self.keep_daemon, self.action == Remove),
            ("fault", self.fault.is_some(), self.is_operation()),
            ("cancel-at", self.cancel_at.is_some(), self.is_operation()),
            ("container", self.container.is_some(), of_container),
            ("exit-code", self.exit_code.is_some(), self.action == Kill),
            ("for", self.span.is_some(), self.action == Sleep),
        ]
        .into_iter()
        .filter(|(_, given, allowed)| *given && !*allowed)
        .map(|(key, _, _)| key)
        .collect()
    }

    fn missing(&self) -> Option<&'static str> {
        match self.action {
            Action::Sleep if self.span.is_none() => Some("for"),
            Action::Kill | Action::StopContainer | Action::RemoveContainer
                if self.container.is_none() =>
            {
                Some("container")
            }
            _ => None,
        }
    }
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum Words {
        One(String),
        More(Vec<String>),
    }
    Ok(match Words::deserialize(from)? {
        Words::One(word) => vec![word],
        Words::More(words) => words,
    })
}

fn span<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let parsed = units.iter().find_map(|(unit, milliseconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*milliseconds).map(Duration::from_millis)
    });
    parsed.map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{text:?} is not a span of time: a whole number and ms, s, m or h"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_not_is_named_with_its_place_and_what_there_is() {
        for (text, words) in [
            (
                "summary = \"a\"\nsteps = []\ncolour = 1",
                &["line 3, column 1", "unknown field `colour`", "`world`"][..],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"boot\"\ntwice = true",
                &["line 4, column 1", "`twice`", "`keep-state`"],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"jump\"",
                &["line 3, column 6", "`jump`", "`host-gateway`"],
            ),
            ("summary = \"a\"\nsteps = []", &["no steps"]),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"boot\"\nkeep-state = true\nerror = \"odd\"",
                &[
                    "step 1: keep-state has no meaning",
                    "no error \"odd\"",
                    "not-running",
                ],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"sleep\"\nfor = \"long\"",
                &["line 4", "\"long\" is not a span"],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"kill\"",
                &["container is missing"],
            ),
        ] {
            let error = File::parse(text).expect_err(text);
            for word in words {
                assert!(error.contains(word), "{word:?} is not in {error}");
            }
        }
    }
}
