//! Nodes that can get a part of a build.

use std::net::IpAddr;

use iechor_builder::Workspace;
use iechor_builder::node::LiveNode;
use iechor_builder::store::{Node, NodeGroup};
use iechor_platform::Platform;

use super::abilities::Abilities;
use super::error::PlanError;
use super::exports;
use super::{NodePlan, Warning};
use crate::error::BuildError;
use crate::spec::{BuildSpec, Tag};

/// A node with everything that does not depend on the part of the build that it gets.
pub(crate) struct OpenNode {
    pub(crate) node: LiveNode,
    proxies: Vec<(String, String)>,
    host_gateway: Option<IpAddr>,
    abilities: Abilities,
    /// Whether the result is loaded into the engine if there is no exporter.
    loads: bool,
}

impl OpenNode {
    /// Loads the driver of a node, and checks that it supports the build, whatever part of it the node gets. Connects
    /// to no BuildKit.
    ///
    /// # Errors
    ///
    /// Returns an error of the node, or the first ability that it lacks.
    pub(super) async fn open(
        workspace: &Workspace,
        spec: &BuildSpec,
        builder: &NodeGroup,
        node: &Node,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, BuildError> {
        let node = LiveNode::open(workspace, builder, node).await?;
        let abilities = Abilities::new(&builder.driver, &node.features().await?);
        abilities.check_caches(spec)?;
        let mut loads = false;
        let may_load = spec.default_load && spec.call.is_none();
        if abilities.default_load && may_load && spec.exporters.is_empty() {
            let names: Vec<String> = spec.tags.iter().map(Tag::to_string).collect();
            match node.may_load(&names) {
                Ok(()) => loads = true,
                Err(denial) => {
                    let warning = Warning::LoadDenied {
                        driver: builder.driver.clone(),
                        reason: denial.detail(),
                    };
                    if !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
            }
        }
        let host_gateway = match spec.steps.need_host_gateway() {
            true => {
                let address = node.host_gateway().await;
                Some(address.map_err(|error| BuildError::HostGateway(Box::new(error)))?)
            }
            false => None,
        };
        Ok(Self {
            proxies: proxies(workspace, &node)?,
            host_gateway,
            abilities,
            loads,
            node,
        })
    }

    /// Returns the exports of a node that builds for a number of platforms.
    ///
    /// # Errors
    ///
    /// Returns the first fault, or the first ability that the node lacks.
    pub(super) fn exports(
        &self,
        spec: &BuildSpec,
        platforms: usize,
    ) -> Result<Vec<exports::Export>, PlanError> {
        let exports = exports::exports(spec, platforms, &self.abilities, self.loads)?;
        // A call has no result.
        Ok(match spec.call {
            Some(_) => Vec::new(),
            None => exports,
        })
    }

    /// Plans the part of the node.
    ///
    /// # Errors
    ///
    /// As [`Self::exports`].
    pub(crate) fn plan(
        self,
        spec: &BuildSpec,
        platforms: Vec<Platform>,
        is_one_of_several: bool,
    ) -> Result<NodePlan, PlanError> {
        Ok(NodePlan {
            exports: self.exports(spec, platforms.len())?,
            host_gateway: self.host_gateway,
            proxies: self.proxies,
            // Images that were built into the engine take precedence, as users expect.
            prefers_local_images: self.abilities.moby_exporter,
            // An image with attestations has several manifests.
            has_attestations: self.abilities.multi_platform,
            builds_into_engine: self.abilities.moby_exporter,
            is_one_of_several,
            platforms,
            node: self.node,
        })
    }
}

/// Returns the proxies that the user has configured for the engine of a node. A node without an engine
/// uses the proxies of the current engine.
fn proxies(workspace: &Workspace, node: &LiveNode) -> Result<Vec<(String, String)>, BuildError> {
    let endpoint = match node.engine() {
        Some(engine) => engine.endpoint().to_owned(),
        None => workspace.current_endpoint()?.host.to_string(),
    };
    Ok(workspace.config.proxies(&endpoint))
}
