//! Containers as the engine describes them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::reach::InspectedReach;
use super::super::run;
use super::super::startup::InspectedStartup;
use crate::model::{Container, ContainerStatus, Mount, MountSource};

/// The part of `/containers/NAME/json` that is read. It has strings instead of bollard's closed enums,
/// because Podman has more states than Docker.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    id: String,
    name: String,
    #[serde(default, rename = "Image")]
    image_id: String,
    #[serde(default)]
    restart_count: u32,
    state: InspectedState,
    config: InspectedConfig,
    #[serde(default)]
    host_config: Option<InspectedHostConfig>,
    #[serde(default)]
    mounts: Option<Vec<InspectedMount>>,
    #[serde(default)]
    network_settings: Option<InspectedNetworks>,
}

/// The networks of a container, by name. Its settings in each are not read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedNetworks {
    #[serde(default)]
    networks: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    #[serde(default)]
    status: String,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    started_at: Option<String>,
    #[serde(default)]
    pid: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    #[serde(default)]
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    startup: InspectedStartup,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHostConfig {
    #[serde(default)]
    mounts: Option<Vec<RequestedMount>>,
    #[serde(flatten)]
    reach: InspectedReach,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedMount {
    #[serde(default)]
    target: String,
    #[serde(default)]
    tmpfs_options: Option<RequestedTmpfs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedTmpfs {
    #[serde(default)]
    size_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedMount {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source: String,
    destination: String,
    #[serde(default, rename = "RW")]
    writable: bool,
}

impl InspectedMount {
    fn read(self, tmpfs_size: impl Fn(&str) -> u64) -> Mount {
        let source = match self.r#type.as_str() {
            "volume" => MountSource::Volume(self.name),
            "tmpfs" => MountSource::Tmpfs(tmpfs_size(&self.destination)),
            "bind" => MountSource::Bind(self.source),
            // Images, named pipes, cluster volumes: builders do not mount them. A container with one
            // needs a grant that names it.
            other => MountSource::Bind(format!("{other} {}", self.source)),
        };
        Mount {
            target: self.destination,
            source,
            read_only: !self.writable,
        }
    }
}

fn status(word: &str) -> ContainerStatus {
    match word {
        "created" | "configured" | "initialized" => ContainerStatus::Created,
        "running" | "stopping" => ContainerStatus::Running,
        "paused" => ContainerStatus::Paused,
        "restarting" => ContainerStatus::Restarting,
        "removing" => ContainerStatus::Removing,
        "exited" | "stopped" => ContainerStatus::Exited,
        "dead" => ContainerStatus::Dead,
        _ => ContainerStatus::Other,
    }
}

impl Inspected {
    pub(super) fn read(self) -> Container {
        let networks = self.network_settings.and_then(|seen| seen.networks);
        let networks: Vec<_> = networks.unwrap_or_default().into_keys().collect();
        let (requested, reach) = match self.host_config {
            Some(config) => (
                config.mounts.unwrap_or_default(),
                config.reach.read(networks),
            ),
            None => (Vec::new(), InspectedReach::default().read(networks)),
        };
        let tmpfs_size = |target: &str| {
            requested
                .iter()
                .find(|m| m.target == target)
                .and_then(|m| m.tmpfs_options.as_ref())
                .map_or(0, |o| o.size_bytes)
        };
        let mounts = self.mounts.unwrap_or_default();
        let mounts = mounts.into_iter().map(|m| m.read(tmpfs_size));
        let status = status(&self.state.status);
        let ended = match status {
            ContainerStatus::Exited | ContainerStatus::Dead | ContainerStatus::Restarting => true,
            // A container that could not be started returns to this state, with an exit code.
            ContainerStatus::Created | ContainerStatus::Other => self.state.exit_code != 0,
            _ => false,
        };
        let run = (status == ContainerStatus::Running)
            .then(|| run::name(&self.id, self.state.started_at.as_deref()?, self.state.pid))
            .flatten();
        let mut container = Container {
            id: self.id,
            name: bare(&self.name),
            status,
            image: self.config.image,
            labels: self.config.labels.unwrap_or_default(),
            mounts: mounts.collect(),
            exit_code: ended.then_some(self.state.exit_code),
            out_of_memory: self.state.oom_killed,
            restart_count: self.restart_count,
            error: self.state.error.unwrap_or_default(),
            started_at: self.state.started_at.as_deref().and_then(moment),
            run,
            reach,
            image_id: self.image_id,
            startup: self.config.startup.read(),
        };
        sort(&mut container.mounts);
        container
    }
}

/// Sorts mounts by target. The engine keeps them in a map, so their order has no meaning.
fn sort(mounts: &mut [Mount]) {
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
}

fn bare(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

/// Reads a time. The engine writes the year 1 for "never".
fn moment(text: &str) -> Option<SystemTime> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (moment.year() > 1).then(|| moment.into())
}

/// The part of an entry of `/containers/json` that is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    mounts: Option<Vec<InspectedMount>>,
}

impl Listed {
    pub(super) fn read(self) -> Container {
        let names = self.names.unwrap_or_default();
        // A name with another slash is a link from another container.
        let name = names
            .iter()
            .find(|n| !n.trim_start_matches('/').contains('/'))
            .or(names.first());
        let mounts = self.mounts.unwrap_or_default();
        let mut container = Container {
            id: self.id,
            name: name.map(|n| bare(n)).unwrap_or_default(),
            status: status(&self.state),
            image: self.image,
            labels: self.labels.unwrap_or_default(),
            mounts: mounts.into_iter().map(|m| m.read(|_| 0)).collect(),
            // A list reports nothing more.
            ..Container::default()
        };
        sort(&mut container.mounts);
        container
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_docker_does_not_have_are_read() {
        let json = |state: &str| {
            let text = format!(
                r#"{{"Id":"1","Name":"c","Image":"sha256:2","State":{state},"Config":{{"Image":"i","Labels":null}}}}"#
            );
            let inspected: Inspected = serde_json::from_str(&text).expect("readable");
            inspected.read()
        };
        let c = json(r#"{"Status":"stopped","ExitCode":3,"StartedAt":"2026-01-02T03:04:05.6Z"}"#);
        assert_eq!((c.status, c.exit_code), (ContainerStatus::Exited, Some(3)));
        assert!(c.started_at.is_some());
        let c = json(r#"{"Status":"hibernating","StartedAt":"0001-01-01T00:00:00Z"}"#);
        assert_eq!((c.status, c.exit_code), (ContainerStatus::Other, None));
        assert_eq!(c.started_at, None);
    }
}
