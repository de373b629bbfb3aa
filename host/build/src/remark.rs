//! What users should know about a build that goes on.

use std::fmt;

/// A remark about a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A node cannot be used. Other nodes build its part.
    Skipped {
        /// The node.
        node: String,
        /// The cause.
        reason: String,
    },
    /// Each of several nodes exports its cache to the same place.
    SharedCache {
        /// The type of the cache.
        kind: String,
        /// The names of the nodes.
        nodes: Vec<String>,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped { node, reason } => {
                write!(
                    formatter,
                    "node {node} is skipped, because it cannot be used: {reason}"
                )
            }
            Self::SharedCache { kind, nodes } => write!(
                formatter,
                "nodes {} export their caches to the same place of type {kind}, and the last one replaces the others",
                nodes.join(", ")
            ),
        }
    }
}
