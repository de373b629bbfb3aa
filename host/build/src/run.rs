//! Runs a plan: solves on each node and delivers the results.

use futures_util::future::try_join_all;
use iechor_builder::Workspace;
use iechor_progress::vertex::StatusSender;

use crate::deliver::push::push;
use crate::deliver::result::{BuildResult, NodeResult};
use crate::error::BuildError;
use crate::plan::{NodePlan, Plan};
use crate::solve::solve;
use crate::spec::BuildSpec;

/// Runs a planned build.
///
/// # Errors
///
/// Returns the first error. Result files do not exist in this case, or are unchanged.
pub async fn run(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: Plan,
    status: &StatusSender,
) -> Result<BuildResult, BuildError> {
    let nodes = plan.nodes.iter();
    let nodes = nodes.map(|node| run_node(workspace, spec, &plan, node, status));
    let result = BuildResult {
        nodes: try_join_all(nodes).await?,
    };
    result.write(spec.metadata_file.as_deref(), spec.iid_file.as_deref())?;
    Ok(result)
}

async fn run_node(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    status: &StatusSender,
) -> Result<NodeResult, BuildError> {
    let solved = solve(workspace, spec, plan, node, status).await?;
    let mut response = solved.response;
    let pushes = node.exports.iter().flat_map(|export| &export.engine_pushes);
    for name in pushes {
        if let Some(digest) = push(&node.node, name, status).await? {
            response.insert("containerimage.digest".into(), digest);
        }
    }
    Ok(NodeResult {
        reference: format!(
            "{}/{}/{}",
            plan.builder.name, node.node.name, solved.reference
        ),
        response,
        warnings: solved.status_failure.into_iter().collect(),
    })
}
