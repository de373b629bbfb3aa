//! Distributes the platforms of a build over the nodes of a builder.
//!
//! The distribution is strict: a node builds only for platforms that it declares or offers. [`distribute`] is pure;
//! it states which nodes have to be asked before it can decide.

use iechor_platform::Platform;

/// The part of a build that one node builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Index of the node.
    pub(crate) node: usize,
    /// The platforms to build for; empty for the platform of the node.
    pub(crate) platforms: Vec<Platform>,
}

/// What a distribution knows about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The platforms that the builder declares for the node.
    pub(crate) declared: Vec<Platform>,
    /// The state of the node.
    pub(crate) state: State,
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Unknown.
    Unknown,
    /// The node runs, and its workers offer these platforms.
    Runs(Vec<Platform>),
    /// The node cannot be used.
    Down,
}

/// The next step of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// These nodes have to be connected to; at least one. Their states are unknown.
    Connect(Vec<usize>),
    /// The build is distributed over nodes that run; at least one.
    Done(Vec<Share>),
    /// No node that can be used builds for these platforms. The list is empty if no platform is requested.
    Unmatched(Vec<Platform>),
}

impl Candidate {
    fn is_usable(&self) -> bool {
        self.state != State::Down
    }

    fn declares(&self, platform: &Platform) -> bool {
        self.is_usable() && self.declared.iter().any(|offered| fits(offered, platform))
    }

    fn offers(&self, platform: &Platform) -> bool {
        match &self.state {
            State::Runs(offered) => offered.iter().any(|offered| fits(offered, platform)),
            State::Unknown | State::Down => false,
        }
    }
}

/// Returns whether a platform is the requested one. A request without a version of the system fits all versions.
fn fits(offered: &Platform, requested: &Platform) -> bool {
    let has_version = requested.os_version.is_empty() || requested.os_version == offered.os_version;
    has_version
        && offered.os == requested.os
        && offered.architecture == requested.architecture
        && offered.variant == requested.variant
}

/// Distributes platforms over the nodes of a builder.
///
/// A single node gets all platforms. Of several nodes, each platform goes to the first one that declares it. If no
/// node declares it, it goes to the first one whose workers offer it; nodes are asked in their order until all
/// platforms are assigned. Without platforms, the first node that can be used builds. The shares have the order of
/// the platforms.
pub(crate) fn distribute(nodes: &[Candidate], platforms: &[Platform]) -> Step {
    let usable = || (0..nodes.len()).filter(|node| nodes[*node].is_usable());
    let unknown = |node: &usize| nodes[*node].state == State::Unknown;
    let mut shares: Vec<Share> = Vec::new();
    if nodes.len() == 1 || platforms.is_empty() {
        shares.extend(usable().next().map(|node| Share {
            node,
            platforms: platforms.to_vec(),
        }));
        if shares.is_empty() {
            return Step::Unmatched(platforms.to_vec());
        }
    }
    let mut unmatched = Vec::new();
    for platform in platforms.iter().filter(|_| nodes.len() > 1) {
        let declaring = usable().find(|node| nodes[*node].declares(platform));
        let offering = || usable().find(|node| nodes[*node].offers(platform));
        let Some(node) = declaring.or_else(offering) else {
            unmatched.push(platform.clone());
            continue;
        };
        match shares.iter_mut().find(|share| share.node == node) {
            Some(share) => share.platforms.push(platform.clone()),
            None => shares.push(Share {
                node,
                platforms: vec![platform.clone()],
            }),
        }
    }
    if !unmatched.is_empty() {
        return match usable().find(unknown) {
            Some(node) => Step::Connect(vec![node]),
            None => Step::Unmatched(unmatched),
        };
    }
    let pending: Vec<_> = shares
        .iter()
        .map(|share| share.node)
        .filter(unknown)
        .collect();
    match pending.is_empty() {
        true => Step::Done(shares),
        false => Step::Connect(pending),
    }
}

#[cfg(test)]
mod tests;
