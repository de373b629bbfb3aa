//! From running to stopped or lost, and back.

use iechor_sandbox::Node;
use iechor_sandbox::contract::Status;

use super::lifecycle::booted;
use super::start::Pictures;
use super::{Outcome, Verdict};
use crate::case::{Case, REMOVE, STOP};
use crate::report::Failure;
use crate::subject::Subject;

pub(super) async fn boot_after_stop(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let before = Pictures::take(&case).await?;
    for by_driver in [true, false] {
        let node = case.node();
        if by_driver {
            case.ok("stop", node.stop(STOP).await)?;
        } else {
            for container in &Pictures::take(&case).await?.containers {
                let stopped = case.engine().stop_container(&container.name, None).await;
                stopped.map_err(|error| Failure::new("the engine stops it", error.to_string()))?;
            }
        }
        let ended = [Status::Stopped, Status::Inactive];
        let info = case.status("of a stopped container", &node, &ended).await?;
        case.refused(
            "dial of a stopped container",
            node.dial().await.map(drop),
            &["not-running"],
        )?;
        let stopped = Pictures::take(&case).await?;
        case.ok("boot of a stopped container", node.boot().await)?;
        case.status("after that boot", &node, &[Status::Running])
            .await?;
        case.reaches_buildkit("after that boot", &node).await?;
        let after = Pictures::take(&case).await?;
        if before.volumes != after.volumes {
            return Err(case.failure(
                format!("boot uses the volumes that are there: {:?}", before.volumes),
                format!("{:?}", after.volumes),
            ));
        }
        // A driver that keeps only the volume says that the rest is gone.
        let is_only_state_kept = info.status == Status::Inactive
            && stopped.ids().is_empty()
            && !before.volumes.is_empty();
        if !is_only_state_kept && stopped.ids() != after.ids() {
            return Err(case.failure("boot starts the container that is there", "it made another"));
        }
    }
    Ok(Outcome::Passed)
}

/// Removes the containers by other hands than the driver's.
async fn lose(case: &Case<'_>) -> Result<(), Failure> {
    for container in Pictures::take(case).await?.containers {
        let removed = case.engine().remove_container(&container.name, true).await;
        removed.map_err(|error| Failure::new("the engine removes it", error.to_string()))?;
    }
    Ok(())
}

pub(super) async fn boot_after_loss(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let objects = case.objects().await?;
    lose(&case).await?;
    let gone = [Status::Stopped, Status::Inactive];
    case.status("of a container that is gone", &case.node(), &gone)
        .await?;
    case.ok("boot after that", case.node().boot().await)?;
    case.has("after that boot", &objects).await?;
    lose(&case).await?;
    case.ok("remove of what is left", case.node().remove(REMOVE).await)?;
    case.has("after that remove", &[]).await?;
    Ok(Outcome::Passed)
}

/// Returns the name of the present run of the daemon.
async fn run(case: &Case<'_>, when: &str, node: &Node) -> Result<Option<String>, Failure> {
    let info = case.status(when, node, &[Status::Running]).await?;
    Ok(info.run)
}

pub(super) async fn runs(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let node = case.node();
    let Some(first) = run(&case, "after boot", &node).await? else {
        return Ok(Outcome::Skipped(
            "this driver names no run of the daemon, so the host asks BuildKit each time".into(),
        ));
    };
    let again = run(&case, "after boot, in a fresh instance", &case.node()).await?;
    if again.as_deref() != Some(first.as_str()) {
        return Err(case.failure(
            format!("the run of a daemon that goes on is still called {first:?}"),
            format!("it is called {again:?}"),
        ));
    }
    case.ok("stop", node.stop(STOP).await)?;
    case.ok("boot after stop", node.boot().await)?;
    let second = run(&case, "after another boot", &node).await?;
    if second.as_deref() == Some(first.as_str()) {
        return Err(case.failure(
            "another run of the daemon has another name",
            format!("it is still called {first:?}"),
        ));
    }
    Ok(Outcome::Passed)
}
