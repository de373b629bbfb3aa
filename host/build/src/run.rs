//! Runs a plan: solves on each node and delivers the results.

use futures_util::future::try_join_all;
use iechor_builder::Workspace;
use iechor_progress::vertex::StatusSender;

use crate::deliver::metadata::Metadata;
use crate::deliver::push::push;
use crate::deliver::recorder::{Record, Recorder};
use crate::deliver::result::{BuildResult, NodeResult};
use crate::deliver::result_files::{write_image_id, write_metadata};
use crate::error::BuildError;
use crate::plan::{NodePlan, Plan};
use crate::setting::Setting;
use crate::solve::solve;
use crate::spec::BuildSpec;

/// The end of a build.
pub struct Outcome {
    /// The metadata of the build, also of one that failed.
    pub metadata: Metadata,
    /// The result, or the first error.
    pub result: Result<BuildResult, BuildError>,
}

impl Outcome {
    /// Returns the outcome of a build that failed before it began, and writes its metadata, unless the file
    /// for it is a mistake.
    pub fn of_failure(spec: &BuildSpec, error: BuildError) -> Self {
        let metadata = Metadata::of_failure(&error, None, &Record::default());
        let is_file_wrong = matches!(
            &error,
            BuildError::Mistakes(mistakes) if mistakes.has(Setting::MetadataFile)
        );
        if !is_file_wrong {
            // The failure of the build is the one to report.
            let _ = write_metadata(spec, &metadata);
        }
        Self {
            metadata,
            result: Err(error),
        }
    }
}

/// Runs a planned build, and writes the files that describe it. Files with results do not exist, or are
/// unchanged, if the build fails.
pub async fn run(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: Plan,
    status: &StatusSender,
) -> Outcome {
    let references: Vec<_> = plan
        .nodes
        .iter()
        .map(|_| iechor_buildkit::new_id())
        .collect();
    let name = |node: &NodePlan, reference: &str| {
        format!("{}/{}/{reference}", plan.builder.name, node.node.name)
    };
    let (recorded, recorder) = Recorder::start(status.clone());
    let nodes = plan.nodes.iter().zip(&references);
    let nodes = nodes.map(|(node, reference)| {
        let name = name(node, reference);
        run_node(workspace, spec, &plan, node, (reference, name), &recorded)
    });
    let built = try_join_all(nodes).await;
    drop(recorded);
    let record = recorder.finish().await;
    let first = plan.nodes.first().zip(references.first());
    let failed = |error: &BuildError| {
        let reference = first.map(|(node, reference)| name(node, reference));
        Metadata::of_failure(error, reference, &record)
    };
    let result = match built {
        Ok(nodes) => BuildResult { nodes },
        Err(error) => {
            let metadata = failed(&error);
            // The failure of the build is the one to report.
            let _ = write_metadata(spec, &metadata);
            return Outcome {
                metadata,
                result: Err(error),
            };
        }
    };
    let file = spec.metadata_file.as_ref();
    let has_warnings = file.is_some_and(|file| file.warnings);
    let metadata = Metadata::of_result(&result, &record, has_warnings);
    let written =
        write_image_id(spec, result.image_id()).and_then(|()| write_metadata(spec, &metadata));
    match written {
        Ok(()) => Outcome {
            metadata,
            result: Ok(result),
        },
        Err(error) => Outcome {
            metadata: failed(&error),
            result: Err(error),
        },
    }
}

/// Builds on one node. `reference` is the name of the build on the daemon, and its name for users.
async fn run_node(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    (reference, name): (&str, String),
    status: &StatusSender,
) -> Result<NodeResult, BuildError> {
    let solved = solve(workspace, spec, plan, node, reference, status).await?;
    let mut response = solved.response;
    let pushes = node.exports.iter().flat_map(|export| &export.engine_pushes);
    for name in pushes {
        if let Some(digest) = push(&node.node, name, status).await? {
            response.insert("containerimage.digest".into(), digest);
        }
    }
    Ok(NodeResult {
        reference: name,
        response,
        answer: solved.answer,
        provenance: solved.provenance,
        warnings: solved.warnings,
    })
}
