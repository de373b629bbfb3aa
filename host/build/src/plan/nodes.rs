//! Assigns platforms to nodes.

use iechor_builder::store::Node;
use iechor_platform::Platform;

/// The part of a build that one node builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    /// Index of the node in the builder.
    pub(super) node: usize,
    /// The platforms to build for; empty for the platform of the node.
    pub(super) platforms: Vec<Platform>,
}

/// Assigns a build to the node that declares all platforms, or to the first node if there is none.
/// Returns an empty list for a builder without nodes.
pub(super) fn share(nodes: &[Node], platforms: &[Platform]) -> Vec<Share> {
    let declares = |node: &Node| {
        let mut platforms = platforms.iter();
        platforms.len() > 0 && platforms.all(|platform| node.platforms.contains(platform))
    };
    if nodes.is_empty() {
        return Vec::new();
    }
    vec![Share {
        node: nodes.iter().position(declares).unwrap_or_default(),
        platforms: platforms.to_vec(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(platforms: &[&str]) -> Node {
        let mut node = Node::default();
        node.platforms
            .extend(Platform::parse_list(platforms).expect("platforms"));
        node
    }

    #[test]
    fn the_node_that_declares_every_platform_builds() {
        let nodes = [
            node(&[]),
            node(&["linux/amd64"]),
            node(&["linux/arm64,linux/amd64"]),
        ];
        for (platforms, expected) in [
            (&[][..], 0),
            (&["linux/amd64"], 1),
            (&["linux/amd64,linux/arm64"], 2),
            (&["linux/s390x"], 0),
            (&["linux/amd64,linux/s390x"], 0),
        ] {
            let platforms = Platform::parse_list(platforms).expect("platforms");
            let expected = Share {
                node: expected,
                platforms: platforms.clone(),
            };
            assert_eq!(share(&nodes, &platforms), [expected]);
        }
        assert_eq!(share(&[], &[]), []);
    }
}
