//! Runs a plan: assigns it to nodes, solves on each node and delivers the results.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use iechor_builder::Workspace;
use iechor_progress::relay::Sources;
use iechor_progress::vertex::StatusSender;

use crate::assign::{Assigned, assign};
use crate::deliver::merge::Merge;
use crate::deliver::metadata::Metadata;
use crate::deliver::push::push;
use crate::deliver::recorder::{Record, Recorder};
use crate::deliver::result::{BuildResult, NodeResult};
use crate::deliver::result_files::{write_image_id, write_metadata};
use crate::error::BuildError;
use crate::plan::{NodePlan, Plan};
use crate::remark::Remark;
use crate::setting::Setting;
use crate::shown::Shown;
use crate::solve::{Job, solve};
use crate::spec::{BuildSpec, CacheKind};

/// Maximum time that nodes have to end after the build of another node failed.
const CANCELLED: Duration = Duration::from_secs(5);

/// The end of a build.
pub struct Outcome {
    /// The metadata of the build, also of one that failed.
    pub metadata: Metadata,
    /// The result, or the first error.
    pub result: Result<BuildResult, BuildError>,
    /// Remarks about the nodes.
    pub remarks: Vec<Remark>,
}

impl Outcome {
    /// Returns the outcome of a build that failed before it began, and writes its metadata, unless the file
    /// for it is a mistake.
    pub fn of_failure(spec: &BuildSpec, error: BuildError) -> Self {
        Self::failed(spec, error, None, &Record::default(), Vec::new())
    }

    fn failed(
        spec: &BuildSpec,
        error: BuildError,
        reference: Option<String>,
        record: &Record,
        remarks: Vec<Remark>,
    ) -> Self {
        let metadata = Metadata::of_failure(&error, reference, record);
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
            remarks,
        }
    }
}

/// Runs a planned build, and writes the files that describe it. Files with results do not exist, or are
/// unchanged, if the build fails.
pub async fn run(
    workspace: &Workspace,
    spec: &BuildSpec,
    mut plan: Plan,
    status: &StatusSender,
) -> Outcome {
    let (recorded, recorder) = Recorder::start(status.clone());
    let mut build = Build {
        workspace,
        spec,
        reference: None,
        remarks: Vec::new(),
    };
    let built = build.run(&mut plan, &recorded).await;
    let Build {
        reference, remarks, ..
    } = build;
    drop(recorded);
    let record = recorder.finish().await;
    let result = match built {
        Ok(result) => result,
        Err(error) => return Outcome::failed(spec, error, reference, &record, remarks),
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
            remarks,
        },
        Err(error) => Outcome {
            metadata: Metadata::of_failure(&error, reference, &record),
            result: Err(error),
            remarks,
        },
    }
}

/// A build that runs.
struct Build<'a> {
    workspace: &'a Workspace,
    spec: &'a BuildSpec,
    /// The name of the first part in the history, for users.
    reference: Option<String>,
    remarks: Vec<Remark>,
}

/// The part of a node, with its name on the daemon and its name for users.
struct Part {
    assigned: Assigned,
    reference: String,
    name: String,
}

impl Build<'_> {
    async fn run(
        &mut self,
        plan: &mut Plan,
        status: &StatusSender,
    ) -> Result<BuildResult, BuildError> {
        let sources = Sources::new(status);
        let shown = Shown::new(&sources, status);
        let assigned = assign(self.spec, plan, &shown, &mut self.remarks).await?;
        let (mut plans, connections): (Vec<_>, Vec<_>) = assigned
            .into_iter()
            .map(|Assigned { plan, connected }| (plan, connected))
            .unzip();
        plan.source.share(plans.len());
        self.remark_caches(&plans);
        let merge = match plans.len() {
            0 | 1 => None,
            _ => Some(Merge::open(self.workspace, &mut plans, &self.spec.platforms).await?),
        };
        let parts = plans.into_iter().zip(connections);
        let parts = parts.map(|(node, connected)| {
            let reference = iechor_buildkit::new_id();
            Part {
                name: format!("{}/{}/{reference}", plan.builder.name, node.node.name),
                assigned: Assigned {
                    plan: node,
                    connected,
                },
                reference,
            }
        });
        let parts: Vec<_> = parts.collect();
        self.reference = parts.first().map(|part| part.name.clone());
        let nodes = self.solve(plan, parts, &shown).await?;
        let merged = match merge {
            Some(merge) => {
                let builder = &plan.builder.nodes;
                let values = merge.complete(self.workspace, builder, &nodes, status);
                Some(values.await?).filter(|values| !values.is_empty())
            }
            None => None,
        };
        Ok(BuildResult { nodes, merged })
    }

    /// Builds all parts at the same time. The first failure cancels the others.
    async fn solve(
        &self,
        plan: &Plan,
        parts: Vec<Part>,
        shown: &Shown<'_>,
    ) -> Result<Vec<NodeResult>, BuildError> {
        let cancel = self.workspace.cancel.child_token();
        let is_several = parts.len() > 1;
        let names: Vec<_> = parts
            .iter()
            .map(|part| part.assigned.plan.node.name.clone())
            .collect();
        let running: FuturesUnordered<_> = parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| {
                let (name, cancel) = (&names[index], &cancel);
                async move {
                    let shown = shown.of_node(is_several.then_some(name.as_str()));
                    let result = self.solve_part(plan, part, &shown, cancel).await;
                    shown.finish().await;
                    (index, result)
                }
            })
            .collect();
        let mut running = running;
        let mut results: Vec<Option<NodeResult>> = names.iter().map(|_| None).collect();
        while let Some((index, result)) = running.next().await {
            let error = match result {
                Ok(result) => {
                    results[index] = Some(result);
                    continue;
                }
                Err(error) => error,
            };
            cancel.cancel();
            // BuildKit is told before the connections are closed.
            let ending = async { while running.next().await.is_some() {} };
            let _ = tokio::time::timeout(CANCELLED, ending).await;
            if !is_several || error.is_cancelled() {
                return Err(error);
            }
            let others = names.iter().zip(&results).enumerate();
            let unfinished = others.filter(|(other, (_, done))| *other != index && done.is_none());
            return Err(BuildError::Node {
                node: names[index].clone(),
                cancelled: unfinished.map(|(_, (name, _))| name.clone()).collect(),
                error: Box::new(error),
            });
        }
        Ok(results.into_iter().flatten().collect())
    }

    async fn solve_part(
        &self,
        plan: &Plan,
        part: Part,
        shown: &Shown<'_>,
        cancel: &tokio_util::sync::CancellationToken,
    ) -> Result<NodeResult, BuildError> {
        let Assigned {
            plan: node,
            connected,
        } = part.assigned;
        let job = Job {
            node: &node,
            reference: &part.reference,
            shown,
            cancel,
        };
        let solved = solve(self.workspace, self.spec, plan, job, connected).await?;
        let mut response = solved.response;
        let pushes = node.exports.iter().flat_map(|export| &export.engine_pushes);
        for name in pushes {
            if let Some(digest) = push(&node.node, name, shown.status()).await? {
                response.insert("containerimage.digest".into(), digest);
            }
        }
        Ok(NodeResult {
            reference: part.name,
            response,
            answer: solved.answer,
            provenance: solved.provenance,
            warnings: solved.warnings,
        })
    }

    /// Remarks that the caches of several nodes replace each other.
    fn remark_caches(&mut self, nodes: &[NodePlan]) {
        if nodes.len() < 2 {
            return;
        }
        let shared = self.spec.cache_to.iter();
        let shared = shared.filter(|cache| cache.kind != CacheKind::Inline);
        self.remarks.extend(shared.map(|cache| Remark::SharedCache {
            kind: cache.kind.name().to_owned(),
            nodes: nodes.iter().map(|node| node.node.name.clone()).collect(),
        }));
    }
}
