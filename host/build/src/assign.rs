//! Assigns the parts of a build to nodes, and connects to these nodes.

use futures_util::future::join_all;
use iechor_builder::BuilderError;
use iechor_builder::node::Connected;
use iechor_platform::Platform;

use crate::error::BuildError;
use crate::plan::nodes::{Candidate, Share, State, Step, distribute};
use crate::plan::{NodePlan, OpenNode, Plan, PlanError};
use crate::remark::Remark;
use crate::shown::Shown;
use crate::spec::BuildSpec;

/// A node with its part of the build, and a connection to its BuildKit.
pub(crate) struct Assigned {
    pub(crate) plan: NodePlan,
    pub(crate) connected: Connected,
}

/// The nodes of a builder while parts are assigned.
struct Nodes {
    nodes: Vec<Reached>,
    candidates: Vec<Candidate>,
    is_several: bool,
}

/// A node, and what a connection to it gave.
struct Reached {
    name: String,
    opened: Option<Result<OpenNode, BuilderError>>,
    connected: Option<Connected>,
    failure: Option<BuilderError>,
}

/// Distributes a build over the nodes of its builder, and connects to those that get a part. Nodes that cannot be used
/// are passed over; `remarks` names them.
///
/// # Errors
///
/// Returns an error if no node builds for a platform: the errors of the nodes that cannot be used, if there are any.
pub(crate) async fn assign(
    spec: &BuildSpec,
    plan: &mut Plan,
    shown: &Shown<'_>,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<Assigned>, BuildError> {
    let mut nodes = Nodes::of(plan);
    // One node answers a call.
    let count = match &spec.call {
        Some(_) if nodes.is_several => 1,
        _ => spec.platforms.len(),
    };
    let platforms = &spec.platforms[..count.min(spec.platforms.len())];
    let shares = loop {
        match distribute(&nodes.candidates, platforms) {
            Step::Connect(next) => nodes.connect(&next, shown).await?,
            Step::Done(shares) => break shares,
            Step::Unmatched(platforms) => return Err(nodes.unmatched(plan, platforms)),
        }
    };
    remarks.extend(nodes.nodes.iter().filter_map(|node| {
        let reason = node.failure.as_ref()?.to_string();
        Some(Remark::Skipped {
            node: node.name.clone(),
            reason,
        })
    }));
    nodes.take(spec, shares)
}

impl Nodes {
    fn of(plan: &mut Plan) -> Self {
        let declared = plan.builder.nodes.iter();
        let opened = std::mem::take(&mut plan.nodes).into_iter();
        let (nodes, candidates): (Vec<_>, Vec<_>) = declared
            .zip(opened)
            .map(|(node, opened)| {
                let reached = Reached {
                    name: node.name.clone(),
                    opened: Some(opened),
                    connected: None,
                    failure: None,
                };
                let candidate = Candidate {
                    declared: node.platforms.clone(),
                    state: State::Unknown,
                };
                (reached, candidate)
            })
            .unzip();
        Self {
            is_several: nodes.len() > 1,
            nodes,
            candidates,
        }
    }

    /// Connects to nodes at the same time. Boots those that do not run.
    async fn connect(&mut self, next: &[usize], shown: &Shown<'_>) -> Result<(), BuildError> {
        let is_several = self.is_several;
        let nodes = self.nodes.iter_mut().enumerate();
        let connecting = nodes.filter(|(index, _)| next.contains(index));
        let connecting = connecting.map(|(index, node)| async move {
            let name = node.name.clone();
            let shown = shown.of_node(is_several.then_some(name.as_str()));
            let connected = node.connect(&shown).await;
            shown.finish().await;
            (index, connected)
        });
        for (index, state) in join_all(connecting).await {
            self.candidates[index].state = state?;
        }
        Ok(())
    }

    /// Returns the error of a build for platforms that no node builds for.
    fn unmatched(self, plan: &Plan, platforms: Vec<Platform>) -> BuildError {
        let is_several = self.is_several;
        let mut nodes = Vec::new();
        let mut failures = Vec::new();
        for (node, candidate) in self.nodes.into_iter().zip(self.candidates) {
            let mut offered = candidate.declared;
            if let State::Runs(platforms) = candidate.state {
                offered.extend(platforms);
            }
            let mut kept: Vec<Platform> = Vec::new();
            for platform in offered {
                if !kept.contains(&platform) {
                    kept.push(platform);
                }
            }
            nodes.push((node.name.clone(), kept));
            failures.extend(node.failure.map(|error| match is_several {
                true => BuilderError::Node {
                    action: "use",
                    node: node.name,
                    error: Box::new(error),
                },
                false => error,
            }));
        }
        match BuilderError::all(failures) {
            Some(error) => error.into(),
            None => PlanError::Unmatched {
                builder: plan.builder.name.clone(),
                platforms,
                nodes,
            }
            .into(),
        }
    }

    /// Returns the nodes with a share.
    fn take(mut self, spec: &BuildSpec, shares: Vec<Share>) -> Result<Vec<Assigned>, BuildError> {
        let is_one_of_several = shares.len() > 1;
        let mut assigned = Vec::new();
        for Share { node, platforms } in shares {
            let node = &mut self.nodes[node];
            // A distribution names each node once, and only nodes that run.
            if let (Some(Ok(open)), Some(connected)) = (node.opened.take(), node.connected.take()) {
                assigned.push(Assigned {
                    plan: open.plan(spec, platforms, is_one_of_several)?,
                    connected,
                });
            }
        }
        Ok(assigned)
    }
}

impl Reached {
    /// Connects to the node, and returns its state.
    ///
    /// # Errors
    ///
    /// Returns an error if the user cancels.
    async fn connect(&mut self, shown: &Shown<'_>) -> Result<State, BuildError> {
        let failure = match self.opened.take() {
            Some(Ok(open)) => match open.node.connect(shown.status()).await {
                Ok(connected) => {
                    let workers = connected.workers.iter();
                    let offered = workers.flat_map(|worker| worker.platforms.iter().cloned());
                    let offered = offered.map(Platform::normalised).collect();
                    self.opened = Some(Ok(open));
                    self.connected = Some(connected);
                    return Ok(State::Runs(offered));
                }
                Err(error) if error.is_cancelled() => return Err(error.into()),
                Err(error) => Some(error),
            },
            Some(Err(error)) => Some(error),
            None => None,
        };
        self.failure = failure;
        Ok(State::Down)
    }
}
