//! One node of a builder.

use std::collections::BTreeMap;

use iechor_buildkit::{Device, GcPolicy};
use iechor_sandbox::contract::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::{features, platforms};
use crate::buildkitd_config;
use crate::error::BuilderError;
use crate::lifecycle::NodeReport;
use crate::node::watch::IncidentKind;
use crate::store::Node;

/// A node of a builder, with its configuration and its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct NodeDetails {
    /// Name of the node.
    pub name: String,
    /// Engine of the node, as a URL or the name of a Docker context. With the driver `remote`, the
    /// address of BuildKit.
    pub endpoint: String,
    /// Flags of the BuildKit daemon.
    pub flags: Vec<String>,
    /// Options of the driver, by name. The value of a secret option is null.
    pub driver_opts: BTreeMap<String, Option<String>>,
    /// Names of the configuration files of the BuildKit daemon. Their contents are not shown.
    pub files: Vec<String>,
    /// State of the node.
    pub status: NodeStatus,
    /// Version of BuildKit. Null if the node does not run.
    pub version: Option<String>,
    /// IDs of the workers of BuildKit. Empty if the node does not run.
    #[serde(rename = "IDs")]
    pub ids: Vec<String>,
    /// Platforms that the node builds for, for example `linux/amd64`: the declared platforms first, then
    /// the platforms of the workers. Empty if the state is unknown.
    pub platforms: Vec<String>,
    /// Labels of BuildKit's worker. Empty if the node does not run.
    pub labels: BTreeMap<String, String>,
    /// Rules of the garbage collection of BuildKit, in the order in which they apply. Empty if the node
    /// does not run.
    #[serde(rename = "GCPolicy")]
    pub cleanup_rules: Vec<CleanupRule>,
    /// Devices that builds may request. Empty if the node does not run.
    pub devices: Vec<DeviceDetails>,
    /// How the last run of BuildKit ended. Null if the node is not stopped, if the engine does not say, and
    /// in listings.
    pub last_end: Option<LastEnd>,
    /// Why the state is unknown. Null if it is known.
    pub err: Option<String>,
    /// `platforms`, with a star after each declared one.
    #[serde(skip)]
    pub marked_platforms: Vec<String>,
    /// What the driver supports, by the name that docker buildx shows. Empty if it was not asked.
    #[serde(skip)]
    pub features: BTreeMap<String, bool>,
    /// The configuration files with their contents.
    #[serde(skip)]
    pub file_contents: Vec<NodeFile>,
}

/// State of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    /// The node does not exist in the engine.
    Inactive,
    /// The node is starting.
    Starting,
    /// The node runs.
    Running,
    /// The node is stopping.
    Stopping,
    /// The node exists in the engine, but does not run.
    Stopped,
    /// The state is unknown; the field `Err` says why.
    Error,
}

/// A rule of the garbage collection of BuildKit. Zero means that the rule has no such limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CleanupRule {
    /// Whether the rule also applies to internal and shared records.
    pub all: bool,
    /// The records that the rule applies to, for example `type==source.local`.
    #[serde(rename = "filter")]
    pub filters: Vec<String>,
    /// Time since the last use within which a record is kept, in nanoseconds.
    pub keep_duration: u64,
    /// Space that the cache may always use, in bytes.
    pub reserved_space: i64,
    /// Maximum space that the cache may use, in bytes.
    pub max_used_space: i64,
    /// Disk space that the cache leaves free, in bytes.
    pub min_free_space: i64,
}

/// How a run of BuildKit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LastEnd {
    /// Exit code of BuildKit. Null if the engine does not know it.
    pub exit_code: Option<i64>,
    /// Whether the kernel ended it because memory ran out.
    pub out_of_memory: bool,
    /// Number of the signal with which a client of the engine ended it, for example 15 for a stop. Null if
    /// there was none, or the engine does not remember it.
    pub signal: Option<i32>,
    /// The same for people.
    #[serde(skip)]
    pub words: String,
}

/// A device that builds may request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DeviceDetails {
    /// Name of the device, for example `nvidia.com/gpu=all`.
    pub name: String,
    /// Whether builds may use the device without an entitlement.
    pub auto_allow: bool,
    /// Whether the device is set up when a build requests it.
    pub on_demand: bool,
    /// Annotations of the device.
    pub annotations: BTreeMap<String, String>,
}

/// A configuration file of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Its path in the configuration directory.
    pub path: String,
    /// Its size, in bytes.
    pub size: usize,
    /// Its text. `None` if it holds a private key.
    pub text: Option<String>,
}

impl NodeStatus {
    /// Returns the name of the state, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }
}

impl From<Status> for NodeStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Inactive => Self::Inactive,
            Status::Starting => Self::Starting,
            Status::Running => Self::Running,
            Status::Stopping => Self::Stopping,
            Status::Stopped => Self::Stopped,
        }
    }
}

impl NodeDetails {
    /// Returns the nodes of reports in their order, and the errors of the nodes whose state is unknown.
    pub(super) fn all(reports: Vec<NodeReport>) -> (Vec<Self>, Vec<BuilderError>) {
        let mut faults = Vec::new();
        let nodes = reports
            .into_iter()
            .map(|report| {
                let mut details = Self::of_configuration(&report.node, report.options);
                match report.state {
                    Ok(state) => {
                        let marked = platforms::list(&report.node.platforms, &state.workers);
                        let plain = marked
                            .iter()
                            .map(|name| name.trim_end_matches('*').to_owned());
                        details.platforms = plain.collect();
                        details.marked_platforms = marked;
                        details.status = state.status.into();
                        details.version = state.version;
                        details.ids = state.workers.iter().map(|it| it.id.clone()).collect();
                        if let Some(worker) = state.workers.first() {
                            details.labels = worker.labels.clone();
                            let rules = worker.gc_policy.iter();
                            details.cleanup_rules = rules.map(CleanupRule::of).collect();
                            let devices = worker.devices.iter();
                            details.devices = devices.map(DeviceDetails::of).collect();
                        }
                        details.features = features::table(&state.features);
                        details.last_end = state.end.as_ref().and_then(LastEnd::of);
                    }
                    Err(error) => {
                        details.err = Some(error.to_string());
                        faults.push(error);
                    }
                }
                details
            })
            .collect();
        (nodes, faults)
    }

    /// Returns a node of which only the configuration is known.
    fn of_configuration(node: &Node, options: Vec<(String, Option<String>)>) -> Self {
        Self {
            name: node.name.clone(),
            endpoint: node.endpoint.clone(),
            flags: node.flags.clone(),
            driver_opts: options.into_iter().collect(),
            files: node.files.keys().cloned().collect(),
            status: NodeStatus::Error,
            version: None,
            ids: Vec::new(),
            platforms: Vec::new(),
            labels: BTreeMap::new(),
            cleanup_rules: Vec::new(),
            devices: Vec::new(),
            last_end: None,
            err: None,
            marked_platforms: Vec::new(),
            features: BTreeMap::new(),
            file_contents: NodeFile::all(node),
        }
    }
}

impl NodeFile {
    fn all(node: &Node) -> Vec<Self> {
        let private = buildkitd_config::private(&node.files);
        node.files
            .iter()
            .map(|(path, contents)| Self {
                text: (!private.contains(path.as_str()))
                    .then(|| String::from_utf8_lossy(contents).into_owned()),
                size: contents.len(),
                path: path.clone(),
            })
            .collect()
    }
}

impl LastEnd {
    fn of(kind: &IncidentKind) -> Option<Self> {
        match kind {
            IncidentKind::Ended {
                exit_code,
                out_of_memory,
                signal,
                ..
            } => Some(Self {
                exit_code: *exit_code,
                out_of_memory: *out_of_memory,
                signal: *signal,
                words: kind.to_string(),
            }),
            IncidentKind::Paused | IncidentKind::Unresponsive { .. } | IncidentKind::Removed => {
                None
            }
        }
    }
}

impl CleanupRule {
    fn of(policy: &GcPolicy) -> Self {
        let keep = policy.keep_duration.as_nanos();
        Self {
            all: policy.all,
            filters: policy.filters.clone(),
            keep_duration: u64::try_from(keep).unwrap_or(u64::MAX),
            reserved_space: policy.reserved_space,
            max_used_space: policy.max_used_space,
            min_free_space: policy.min_free_space,
        }
    }
}

impl DeviceDetails {
    fn of(device: &Device) -> Self {
        Self {
            name: device.name.clone(),
            auto_allow: device.automatically_allowed,
            on_demand: device.on_demand,
            annotations: device.annotations.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::NodeState;

    fn report(state: Result<NodeState, BuilderError>) -> NodeReport {
        let files = [
            ("buildkitd.toml", &b"debug = true\n"[..]),
            ("certs/a.key", b"secret"),
        ];
        NodeReport {
            node: Node {
                name: "b0".into(),
                files: files
                    .map(|(path, contents)| (path.to_owned(), contents.to_vec()))
                    .into(),
                ..Node::default()
            },
            options: vec![("env.TOKEN".into(), None)],
            state,
        }
    }

    #[test]
    fn secrets_are_neither_in_the_json_nor_in_the_text() {
        let state = NodeState {
            status: Status::Stopped,
            version: None,
            workers: Vec::new(),
            features: Vec::new(),
            end: None,
        };
        let (nodes, faults) = NodeDetails::all(vec![report(Ok(state))]);
        assert!(faults.is_empty());
        let json = serde_json::to_value(&nodes[0]).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({
                "Name": "b0",
                "Endpoint": "",
                "Flags": [],
                "DriverOpts": { "env.TOKEN": null },
                "Files": ["buildkitd.toml", "certs/a.key"],
                "Status": "stopped",
                "Version": null,
                "IDs": [],
                "Platforms": [],
                "Labels": {},
                "GCPolicy": [],
                "Devices": [],
                "LastEnd": null,
                "Err": null,
            })
        );
        let texts: Vec<_> = nodes[0].file_contents.iter().map(|it| &it.text).collect();
        assert_eq!(texts, [&Some("debug = true\n".to_owned()), &None]);
    }

    #[test]
    fn a_node_of_unknown_state_says_why() {
        let (nodes, faults) = NodeDetails::all(vec![report(Err(BuilderError::Raced))]);
        assert_eq!(nodes[0].status, NodeStatus::Error);
        assert_eq!(nodes[0].err, Some(faults[0].to_string()));
    }
}
