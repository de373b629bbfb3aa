//! Changes to the nodes of a builder. Each is made whole or not at all.

use std::collections::BTreeMap;

use iechor_platform::Platform;

use super::group::{Node, NodeGroup};
use crate::name::{Name, NameError};

/// Files that come from a daemon configuration, and that a new configuration replaces.
const CONFIG_FILE: &str = "buildkitd.toml";
const CERTIFICATES: &str = "certs/";

/// What is to become of one node. `None` leaves a setting as it is; on a new node it means empty.
#[derive(Debug, Clone, Default)]
pub struct NodeChange {
    /// The node to change or add; `None`: a new one with a name of its own.
    pub node: Option<String>,
    /// More nodes may be added to a builder that has some.
    pub append: bool,
    /// Where the node's daemon lives.
    pub endpoint: Option<String>,
    /// Platforms that the user declares.
    pub platforms: Option<Vec<Platform>>,
    /// Arguments for the daemon, all of them.
    pub flags: Option<Vec<String>>,
    /// Options of the driver, all of them.
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// The daemon's configuration with its certificates. Replaces an earlier configuration; files
    /// that did not come from one stay.
    pub files: Option<BTreeMap<String, Vec<u8>>>,
}

/// What [`NodeGroup::change`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Name of the node.
    pub node: String,
    /// Where it stands in the builder.
    pub index: usize,
    /// It is new.
    pub added: bool,
    /// A daemon that runs already does not know the new settings.
    pub restart_needed: bool,
    /// Platforms that this node took over, with the names of the nodes that had declared them.
    pub taken_over: Vec<(String, Platform)>,
}

/// Why a change to the nodes is refused. The builder is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The driver manages the nodes.
    #[error(
        "dynamic node group does not support {operation}: the driver of {builder} chooses its nodes"
    )]
    Dynamic {
        /// The builder.
        builder: String,
        /// `Update` or `Leave`.
        operation: &'static str,
    },
    /// No such node, and none may be added.
    #[error(
        "node {node} not found, did you mean to append? ({builder} has {})",
        list(known)
    )]
    NotFound {
        /// The node that was named.
        node: String,
        /// The builder.
        builder: String,
        /// Its nodes.
        known: Vec<String>,
    },
    /// No such node to take away.
    #[error("node {node:?} not found for {builder} (it has {})", list(known))]
    NoSuchNode {
        /// The node that was named.
        node: String,
        /// The builder.
        builder: String,
        /// Its nodes.
        known: Vec<String>,
    },
    /// A builder keeps at least one node.
    #[error("can not leave last node, do you want to rm instance instead?")]
    LastNode,
    /// Another node has that endpoint.
    #[error("invalid duplicate endpoint {endpoint}: node {node} uses it already")]
    DuplicateEndpoint {
        /// The endpoint.
        endpoint: String,
        /// The node that has it.
        node: String,
    },
    /// A new node without an endpoint.
    #[error("node {node} has no endpoint")]
    NoEndpoint {
        /// The node.
        node: String,
    },
    /// The node's name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "no nodes".to_owned()
    } else {
        names.join(", ")
    }
}

impl NodeGroup {
    /// A builder without nodes.
    pub fn new(name: &Name, driver: &str) -> Self {
        Self {
            name: name.as_str().to_owned(),
            driver: driver.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the node of that name; names that differ in case only are the same.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.position(name).map(|index| &self.nodes[index])
    }

    fn position(&self, name: &str) -> Option<usize> {
        let exact = self.nodes.iter().position(|node| node.name == name);
        exact.or_else(|| {
            self.nodes
                .iter()
                .position(|node| node.name.eq_ignore_ascii_case(name))
        })
    }

    fn node_names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Returns the name that the next node gets if none is given: the builder's, and the first free
    /// number.
    pub fn next_node_name(&self) -> String {
        let base = self.name.to_ascii_lowercase();
        (0..)
            .map(|number: u64| format!("{base}{number}"))
            .find(|name| self.position(name).is_none())
            .unwrap_or(base)
    }

    /// Changes a node or adds one. On an error nothing has changed.
    pub fn change(&mut self, change: NodeChange) -> Result<Changed, EditError> {
        if self.dynamic {
            return Err(EditError::Dynamic {
                builder: self.name.clone(),
                operation: "Update",
            });
        }
        let found = change.node.as_deref().and_then(|name| self.position(name));
        let mut restart_needed = false;
        let (index, mut node) = match found {
            Some(index) => {
                let node = self.nodes[index].clone();
                restart_needed = change.endpoint.is_some()
                    || change.flags.is_some()
                    || change.driver_opts.is_some()
                    || change.files.is_some();
                (index, node)
            }
            None => (self.nodes.len(), self.new_node(&change)?),
        };

        if let Some(endpoint) = change.endpoint {
            let other = self
                .nodes
                .iter()
                .enumerate()
                .find(|(other, node)| *other != index && node.endpoint == endpoint);
            if let Some((_, other)) = other {
                return Err(EditError::DuplicateEndpoint {
                    endpoint,
                    node: other.name.clone(),
                });
            }
            node.endpoint = endpoint;
        }
        if let Some(flags) = change.flags {
            node.flags = flags;
        }
        if let Some(options) = change.driver_opts {
            node.driver_opts = options;
        }
        if let Some(files) = change.files {
            node.files
                .retain(|path, _| path != CONFIG_FILE && !path.starts_with(CERTIFICATES));
            node.files.extend(files);
        }
        // A platform belongs to the node that declared it last.
        let mut taken_over = Vec::new();
        if let Some(platforms) = change.platforms {
            for (other, holder) in self.nodes.iter_mut().enumerate() {
                if other == index {
                    continue;
                }
                holder.platforms.retain(|held| {
                    let same = |new: &Platform| new.to_string() == held.to_string();
                    let keep = !platforms.iter().any(same);
                    if !keep {
                        taken_over.push((holder.name.clone(), held.clone()));
                    }
                    keep
                });
            }
            node.platforms = platforms;
        }

        let changed = Changed {
            node: node.name.clone(),
            index,
            added: found.is_none(),
            restart_needed,
            taken_over,
        };
        match found {
            Some(index) => self.nodes[index] = node,
            None => self.nodes.push(node),
        }
        Ok(changed)
    }

    fn new_node(&self, change: &NodeChange) -> Result<Node, EditError> {
        if !change.append && !self.nodes.is_empty() {
            return Err(EditError::NotFound {
                node: change.node.clone().unwrap_or_default(),
                builder: self.name.clone(),
                known: self.node_names(),
            });
        }
        let name = match &change.node {
            Some(name) => Name::for_new_node(name)?.file_name(),
            None => Name::for_new_node(&self.next_node_name())?.file_name(),
        };
        if change.endpoint.is_none() {
            return Err(EditError::NoEndpoint { node: name });
        }
        Ok(Node {
            name,
            ..Node::default()
        })
    }

    /// Takes a node out of the builder and returns it. On an error nothing has changed.
    pub fn leave(&mut self, name: &str) -> Result<Node, EditError> {
        if self.dynamic {
            return Err(EditError::Dynamic {
                builder: self.name.clone(),
                operation: "Leave",
            });
        }
        let Some(index) = self.position(name) else {
            return Err(EditError::NoSuchNode {
                node: name.to_owned(),
                builder: self.name.clone(),
                known: self.node_names(),
            });
        };
        if self.nodes.len() == 1 {
            return Err(EditError::LastNode);
        }
        Ok(self.nodes.remove(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> NodeGroup {
        let mut group = NodeGroup::new(&Name::parse("MyB").unwrap(), "docker-container");
        group
            .change(NodeChange {
                endpoint: Some("unix:///a".into()),
                platforms: Some(Platform::parse_list(&["linux/amd64,linux/arm64"]).unwrap()),
                flags: Some(vec!["--debug".into()]),
                driver_opts: Some([("network".to_owned(), "host".to_owned())].into()),
                ..NodeChange::default()
            })
            .unwrap();
        group
    }

    fn platforms(node: &Node) -> Vec<String> {
        node.platforms.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_node_takes_the_builders_name() {
        let group = builder();
        assert_eq!(group.nodes[0].name, "myb0");
        assert_eq!(group.next_node_name(), "myb1");
    }

    #[test]
    fn appended_nodes_get_the_first_free_number_and_take_platforms_over() {
        let mut group = builder();
        let changed = group
            .change(NodeChange {
                append: true,
                endpoint: Some("ssh://b".into()),
                platforms: Some(Platform::parse_list(&["linux/arm64/v8"]).unwrap()),
                ..NodeChange::default()
            })
            .unwrap();
        assert_eq!(
            changed,
            Changed {
                node: "myb1".into(),
                index: 1,
                added: true,
                restart_needed: false,
                taken_over: vec![("myb0".into(), "linux/arm64".parse().unwrap())],
            }
        );
        assert_eq!(platforms(&group.nodes[0]), ["linux/amd64"]);
        assert_eq!(platforms(&group.nodes[1]), ["linux/arm64"]);
        group.leave("myb0").unwrap();
        assert_eq!(group.next_node_name(), "myb0");
    }

    #[test]
    fn a_change_of_platforms_leaves_everything_else() {
        // The peer resets the flags here.
        let mut group = builder();
        let changed = group
            .change(NodeChange {
                node: Some("MYB0".into()),
                platforms: Some(Platform::parse_list(&["linux/s390x"]).unwrap()),
                ..NodeChange::default()
            })
            .unwrap();
        assert!(!changed.restart_needed && !changed.added);
        let node = &group.nodes[0];
        assert_eq!(node.flags, ["--debug"]);
        assert_eq!(node.driver_opts["network"], "host");
        assert_eq!(node.endpoint, "unix:///a");
        assert_eq!(platforms(node), ["linux/s390x"]);
    }

    #[test]
    fn a_config_for_a_node_without_files_is_no_panic_and_a_new_one_replaces_the_old() {
        let mut group = builder();
        let mut change = NodeChange {
            node: Some("myb0".into()),
            files: Some(
                [
                    ("buildkitd.toml".to_owned(), b"old".to_vec()),
                    ("certs/r/key.pem".to_owned(), b"old key".to_vec()),
                ]
                .into(),
            ),
            ..NodeChange::default()
        };
        assert!(group.change(change.clone()).unwrap().restart_needed);
        group.nodes[0]
            .files
            .insert("provenance.d/x".into(), b"kept".to_vec());
        change.files = Some([("buildkitd.toml".to_owned(), b"new".to_vec())].into());
        group.change(change).unwrap();
        let paths: Vec<&String> = group.nodes[0].files.keys().collect();
        assert_eq!(paths, ["buildkitd.toml", "provenance.d/x"]);
        assert_eq!(group.nodes[0].files["buildkitd.toml"], b"new");
    }

    #[test]
    fn refused_changes_change_nothing() {
        let mut group = builder();
        group
            .change(NodeChange {
                append: true,
                node: Some("other".into()),
                endpoint: Some("ssh://b".into()),
                ..NodeChange::default()
            })
            .unwrap();
        let before = group.clone();
        let all = Some(Platform::parse_list(&["linux/amd64"]).unwrap());
        let cases = [
            (
                NodeChange {
                    node: Some("missing".into()),
                    endpoint: Some("tcp://c".into()),
                    ..NodeChange::default()
                },
                "node missing not found, did you mean to append? (MyB has myb0, other)",
            ),
            (
                NodeChange {
                    node: Some("other".into()),
                    endpoint: Some("unix:///a".into()),
                    platforms: all.clone(),
                    ..NodeChange::default()
                },
                "invalid duplicate endpoint unix:///a: node myb0 uses it already",
            ),
            (
                NodeChange {
                    append: true,
                    endpoint: Some("ssh://b".into()),
                    platforms: all.clone(),
                    ..NodeChange::default()
                },
                "invalid duplicate endpoint ssh://b: node other uses it already",
            ),
            (
                NodeChange {
                    append: true,
                    node: Some("0bad".into()),
                    endpoint: Some("tcp://c".into()),
                    ..NodeChange::default()
                },
                "invalid name 0bad, name needs to start with a letter and may not contain symbols, except ._-",
            ),
            (
                NodeChange {
                    append: true,
                    platforms: all,
                    ..NodeChange::default()
                },
                "node myb1 has no endpoint",
            ),
        ];
        for (change, message) in cases {
            assert_eq!(group.change(change).unwrap_err().to_string(), message);
            assert_eq!(group, before, "{message}");
        }
    }

    #[test]
    fn the_same_endpoint_may_be_given_again() {
        let mut group = builder();
        let changed = group.change(NodeChange {
            node: Some("myb0".into()),
            endpoint: Some("unix:///a".into()),
            ..NodeChange::default()
        });
        assert!(changed.is_ok());
    }

    #[test]
    fn nodes_leave_but_the_last() {
        let mut group = builder();
        assert_eq!(group.leave("myb0"), Err(EditError::LastNode));
        assert_eq!(
            group.leave("x").unwrap_err().to_string(),
            "node \"x\" not found for MyB (it has myb0)"
        );
        group.dynamic = true;
        assert!(matches!(
            group.leave("myb0"),
            Err(EditError::Dynamic { .. })
        ));
        assert!(matches!(
            group.change(NodeChange::default()),
            Err(EditError::Dynamic { .. })
        ));
    }
}
