//! Changes to the nodes of a builder. A change that fails changes nothing.

use std::collections::BTreeMap;

use iechor_platform::Platform;

use super::group::{Node, NodeGroup};
use crate::name::{Name, NameError};

/// Files of a daemon configuration, which a new configuration replaces.
const CONFIG_FILE: &str = "buildkitd.toml";
const CERTIFICATES: &str = "certs/";

/// A change to a node. `None` keeps a setting; on a new node it means empty.
#[derive(Debug, Clone, Default)]
pub struct NodeChange {
    /// Name of the node to change or add; `None`: a new node with a generated name.
    pub node: Option<String>,
    /// Nodes may be added to a builder that has some.
    pub append: bool,
    /// Endpoint of the node's daemon.
    pub endpoint: Option<String>,
    /// Platforms that the user declares.
    pub platforms: Option<Vec<Platform>>,
    /// All arguments for the daemon.
    pub flags: Option<Vec<String>>,
    /// All options for the driver.
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// The daemon's configuration and its certificates. Replaces an earlier configuration, and
    /// keeps all other files.
    pub files: Option<BTreeMap<String, Vec<u8>>>,
}

/// The result of [`NodeGroup::change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Name of the node.
    pub node: String,
    /// Index of the node in the builder.
    pub index: usize,
    /// The node is new.
    pub added: bool,
    /// A running daemon does not use the new settings.
    pub restart_needed: bool,
    /// Platforms that this node took over, with the names of the nodes that declared them before.
    pub taken_over: Vec<(String, Platform)>,
}

/// Reasons why a change to the nodes is refused. The builder is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The driver manages the nodes.
    #[error(
        "dynamic node group does not support Update: the driver of {builder} chooses its nodes"
    )]
    Dynamic {
        /// The builder.
        builder: String,
    },
    /// The driver manages the nodes, and none can leave.
    #[error("dynamic node group does not support Leave: the driver of {builder} chooses its nodes")]
    DynamicLeave {
        /// The builder.
        builder: String,
    },
    /// The node that is to leave does not exist.
    #[error("node {node:?} not found for {builder}")]
    NothingToLeave {
        /// Name of the node.
        node: String,
        /// The builder.
        builder: String,
    },
    /// The node that is to leave is the only one.
    #[error("can not leave last node, do you want to rm instance instead?")]
    LastNode {
        /// The builder.
        builder: String,
    },
    /// The node does not exist, and none may be added.
    #[error(
        "node {node} not found, did you mean to append? ({builder} has {})",
        list(known)
    )]
    NotFound {
        /// Name of the node.
        node: String,
        /// The builder.
        builder: String,
        /// Its nodes.
        known: Vec<String>,
    },
    /// Another node has that endpoint.
    #[error("invalid duplicate endpoint {endpoint}: node {node} uses it already")]
    DuplicateEndpoint {
        /// The endpoint.
        endpoint: String,
        /// The node that has it.
        node: String,
    },
    /// A new node has no endpoint.
    #[error("node {node} has no endpoint")]
    NoEndpoint {
        /// The node.
        node: String,
    },
    /// The name of the node is invalid.
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
    /// Returns a builder without nodes.
    pub fn new(name: &Name, driver: &str) -> Self {
        Self {
            name: name.as_str().to_owned(),
            driver: driver.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the node of that name. Names that differ only in case are the same.
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

    /// Returns the default name of the next node: the builder's name and the first free number.
    pub fn next_node_name(&self) -> String {
        let base = self.name.to_ascii_lowercase();
        (0..)
            .map(|number: u64| format!("{base}{number}"))
            .find(|name| self.position(name).is_none())
            .unwrap_or(base)
    }

    /// Changes or adds a node. On an error, nothing changes.
    pub fn change(&mut self, change: NodeChange) -> Result<Changed, EditError> {
        if self.dynamic {
            return Err(EditError::Dynamic {
                builder: self.name.clone(),
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

    /// Removes a node from a builder that has others. Returns the node.
    ///
    /// # Errors
    ///
    /// If there is no such node, or it is the only one. Nothing changes.
    pub fn leave(&mut self, name: &str) -> Result<Node, EditError> {
        if self.dynamic {
            return Err(EditError::DynamicLeave {
                builder: self.name.clone(),
            });
        }
        let index = self
            .position(name)
            .ok_or_else(|| EditError::NothingToLeave {
                node: name.to_owned(),
                builder: self.name.clone(),
            })?;
        if self.nodes.len() == 1 {
            return Err(EditError::LastNode {
                builder: self.name.clone(),
            });
        }
        Ok(self.nodes.remove(index))
    }

    /// Puts a node back to an earlier state; `None` removes it, also as the last node.
    pub(crate) fn restore(&mut self, name: &str, before: Option<&Node>) {
        let Some(index) = self.position(name) else {
            return;
        };
        match before {
            Some(before) => self.nodes[index] = before.clone(),
            None => drop(self.nodes.remove(index)),
        }
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
}

#[cfg(test)]
mod tests;
