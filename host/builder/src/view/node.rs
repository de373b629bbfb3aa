//! One node of a builder.

use std::collections::BTreeMap;

use iechor_buildkit::{GcPolicy, Worker};
use iechor_sandbox::contract::Status;
use schemars::JsonSchema;
use serde::Serialize;

use super::platforms;
use crate::buildkitd_config;
use crate::error::BuilderError;
use crate::lifecycle::NodeReport;
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
    /// Why the state is unknown. Null if it is known.
    pub err: Option<String>,
    /// `platforms`, with a star after each declared one.
    #[serde(skip)]
    pub marked_platforms: Vec<String>,
    /// The workers of BuildKit.
    #[serde(skip)]
    pub workers: Vec<WorkerDetails>,
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

/// A worker of BuildKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerDetails {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The rules of its garbage collection, in the order in which they apply.
    pub cleanup_rules: Vec<CleanupRule>,
}

/// A rule of the garbage collection of BuildKit. Zero means that the rule has no such limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRule {
    /// Whether the rule also applies to internal and shared records.
    pub all: bool,
    /// The records that the rule applies to, for example `type==source.local`.
    pub filters: Vec<String>,
    /// Time since the last use within which a record is kept, in seconds. `None` means no limit.
    pub keep_seconds: Option<u64>,
    /// Space that the cache may always use, in bytes.
    pub reserved_space: i64,
    /// Maximum space that the cache may use, in bytes.
    pub max_used_space: i64,
    /// Disk space that the cache leaves free, in bytes.
    pub min_free_space: i64,
}

/// A configuration file of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    /// Its path in the configuration directory.
    pub path: String,
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
                        details.workers = state.workers.iter().map(WorkerDetails::of).collect();
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
            err: None,
            marked_platforms: Vec::new(),
            workers: Vec::new(),
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
                path: path.clone(),
            })
            .collect()
    }
}

impl WorkerDetails {
    fn of(worker: &Worker) -> Self {
        Self {
            labels: worker.labels.clone(),
            cleanup_rules: worker.gc_policy.iter().map(CleanupRule::of).collect(),
        }
    }
}

impl CleanupRule {
    fn of(policy: &GcPolicy) -> Self {
        let keep = policy.keep_duration;
        Self {
            all: policy.all,
            filters: policy.filters.clone(),
            keep_seconds: (!keep.is_zero()).then(|| keep.as_secs()),
            reserved_space: policy.reserved_space,
            max_used_space: policy.max_used_space,
            min_free_space: policy.min_free_space,
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
