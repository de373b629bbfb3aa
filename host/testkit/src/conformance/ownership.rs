//! What belongs to others.

use std::collections::BTreeMap;

use iechor_engine::model::{ContainerSpec, VolumeSpec};
use iechor_sandbox::contract::Status;
use iechor_sandbox::ownership::{BUILDER_LABEL, NODE_LABEL};

use super::{Outcome, Verdict};
use crate::case::{Case, REMOVE, STOP};
use crate::report::Failure;
use crate::subject::Subject;

/// Returns the labels of another builder's node.
fn foreign(case: &Case<'_>) -> BTreeMap<String, String> {
    BTreeMap::from([
        (BUILDER_LABEL.to_owned(), "another-builder".to_owned()),
        (NODE_LABEL.to_owned(), case.node_name().to_owned()),
    ])
}

fn unmade(error: iechor_engine::EngineError) -> Failure {
    Failure::new("another builder's object can be made", error.to_string())
}

pub(super) async fn containers(subject: &Subject) -> Verdict {
    let case = subject.case();
    let image = subject.nature.image.clone().unwrap_or_default();
    if let Ok(stage) = case.stage() {
        stage.engine.add_image(&image);
    }
    let mut before = Vec::new();
    for name in subject.nature.names("container") {
        let name = case.renamed(name);
        let spec = ContainerSpec {
            name: name.clone(),
            image: image.clone(),
            labels: foreign(&case),
            ..ContainerSpec::default()
        };
        case.engine()
            .create_container(&spec)
            .await
            .map_err(unmade)?;
        before.push(
            case.engine()
                .inspect_container(&name)
                .await
                .map_err(unmade)?,
        );
    }
    let objects = case.objects().await?;
    let node = case.node();
    case.refused(
        "boot beside another builder's container",
        node.boot().await,
        &["conflict"],
    )?;
    case.has("after that boot", &objects).await?;
    case.status(
        "beside another builder's container",
        &node,
        &[Status::Inactive],
    )
    .await?;
    case.refused(
        "dial",
        node.dial().await.map(drop),
        &["not-running", "conflict"],
    )?;
    case.ok("stop", node.stop(STOP).await)?;
    case.ok("remove", node.remove(REMOVE).await)?;
    case.has("after stop and remove", &objects).await?;
    let mut after = Vec::new();
    for name in subject.nature.names("container") {
        after.push(
            case.engine()
                .inspect_container(&case.renamed(name))
                .await
                .map_err(unmade)?,
        );
    }
    if before != after {
        return Err(case.failure(
            format!("the other builder's container stays as it is: {before:?}"),
            format!("{after:?}"),
        ));
    }
    Ok(Outcome::Passed)
}

pub(super) async fn volumes(subject: &Subject) -> Verdict {
    let case = subject.case();
    for name in subject.nature.names("volume") {
        let spec = VolumeSpec {
            name: case.renamed(name),
            labels: foreign(&case),
            ..VolumeSpec::default()
        };
        case.engine().create_volume(&spec).await.map_err(unmade)?;
    }
    let objects = case.objects().await?;
    let node = case.node();
    case.refused(
        "boot beside another builder's volume",
        node.boot().await,
        &["conflict"],
    )?;
    case.has("after that boot", &objects).await?;
    case.ok("remove", node.remove(REMOVE).await)?;
    case.has("after remove", &objects).await?;
    Ok(Outcome::Passed)
}
