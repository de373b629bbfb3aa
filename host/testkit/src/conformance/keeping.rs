//! What `remove` is told to keep.

use iechor_engine::model::{Container, Mount, MountSource};
use iechor_engine::simulated::Behavior;
use iechor_sandbox::contract::RemoveOptions;

use super::lifecycle::booted;
use super::start::Pictures;
use super::{Outcome, Verdict};
use crate::case::{KEEP_STATE, REMOVE};
use crate::subject::Subject;

/// How an operation fails where the engine could not do something.
const FAILURES: &[&str] = &[
    "engine",
    "unavailable",
    "other",
    "conflict",
    "invalid-argument",
];

/// Returns the volumes that a container mounts.
fn mounted(container: &Container) -> Vec<String> {
    let volume = |mount: &Mount| match &mount.source {
        MountSource::Volume(name) => Some(name.clone()),
        _ => None,
    };
    container.mounts.iter().filter_map(volume).collect()
}

pub(super) async fn keep_state(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let Pictures {
        containers,
        volumes,
    } = Pictures::take(&case).await?;
    case.ok(
        "remove that keeps the state",
        case.node().remove(KEEP_STATE).await,
    )?;
    let mut kept: Vec<_> = volumes
        .iter()
        .map(|volume| format!("volume {}", volume.name))
        .collect();
    kept.sort();
    case.has("after a remove that keeps the state", &kept)
        .await?;
    if case.stage().is_ok() {
        case.processes(Behavior::never_starts("exec format error"))?;
        let failed = case.node().boot().await;
        case.refused("boot that cannot work", failed, FAILURES)?;
        case.has("after a failed boot with a kept state", &kept)
            .await?;
        case.processes(Behavior::stays_up())?;
    }
    case.ok("boot after that", case.node().boot().await)?;
    let after = Pictures::take(&case).await?;
    if volumes != after.volumes {
        return Err(case.failure(
            format!("the next boot uses the volumes that were kept: {volumes:?}"),
            format!("{:?}", after.volumes),
        ));
    }
    let before: Vec<_> = containers.iter().map(mounted).collect();
    let after: Vec<_> = after.containers.iter().map(mounted).collect();
    if before != after {
        return Err(case.failure(
            format!("the next boot mounts the volumes that were kept: {before:?}"),
            format!("{after:?}"),
        ));
    }
    case.ok("remove", case.node().remove(REMOVE).await)?;
    case.has("after a remove that keeps nothing", &[]).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn keep_daemon(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let before = case.objects().await?;
    let keep = RemoveOptions {
        keep_daemon: true,
        ..REMOVE
    };
    case.ok(
        "remove that keeps the daemon",
        case.node().remove(keep).await,
    )?;
    case.has("after a remove that keeps the daemon", &before)
        .await?;
    case.reaches_buildkit("after a remove that keeps the daemon", &case.node())
        .await?;
    Ok(Outcome::Passed)
}
