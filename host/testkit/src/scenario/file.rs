//! The file of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use iechor_values::duration;
use serde::Deserialize;

/// A scenario as it is written in the file.
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
    duration::parse(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}
