//! The configuration of a node, as its driver gets it.

use iechor_catalog::Loaded;
use iechor_sandbox::contract::{Config, File};

use crate::buildkitd_config;
use crate::remark::Remark;
use crate::store::{Node, NodeGroup};
use crate::workspace::Workspace;

/// Warns, once in a command, that the driver is not the one that the builder was created with. This
/// is not an error: the user may have updated the driver.
pub(super) fn remark_change(
    workspace: &Workspace,
    group: &NodeGroup,
    node: &Node,
    loaded: &Loaded,
) {
    if let Some(before) = group.driver_digest.as_deref()
        && let Some(now) = loaded.own_digest()
        && before != now
    {
        workspace.remark_once(
            loaded.driver.name(),
            &Remark::DriverChanged {
                builder: group.name.clone(),
                node: node.name.clone(),
                before: before.to_owned(),
                now: now.to_owned(),
            },
        );
    }
}

/// Returns the configuration of a node for its driver.
pub(super) fn config(node: &Node) -> Config {
    let private = buildkitd_config::private(&node.files);
    Config {
        name: node.name.clone(),
        endpoint: node.endpoint.clone(),
        options: node.driver_opts.clone().into_iter().collect(),
        buildkitd_flags: node.flags.clone(),
        files: node
            .files
            .iter()
            .map(|(path, contents)| File {
                path: path.clone(),
                mode: buildkitd_config::mode_of(&private, path),
                contents: contents.clone(),
            })
            .collect(),
        platforms: node.platforms.iter().cloned().map(Into::into).collect(),
        extra: Vec::new(),
    }
}
