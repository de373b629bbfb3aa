//! A cancel at any call.

use iechor_sandbox::contract::Status;
use iechor_sandbox::{DriverError, Node};

use super::lifecycle::booted;
use super::start::{Pictures, Start};
use super::{Outcome, Verdict};
use crate::case::{Case, KEEP_STATE, REMOVE, STOP};
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

/// Runs an operation that is cancelled at its call of that number; whether it was. The calls that
/// went before are none of it.
async fn cancelled_at(
    case: &mut Case<'_>,
    call: u64,
    name: &str,
    operation: impl AsyncFnOnce(&Node) -> Result<(), DriverError>,
) -> Result<bool, Failure> {
    let token = case.context().cancel;
    case.trace
        .cancel_at(case.trace.calls() + call, token.clone());
    let result = operation(&case.rich_node()).await;
    case.renew_cancel();
    match result {
        Err(DriverError::Cancelled { .. }) => Ok(true),
        // The call was the last one, or answered at once.
        Ok(()) => Ok(false),
        Err(error) => Err(case.failure(
            format!("{name}, cancelled at call {call}, is cancelled"),
            format!("{}: {error}", failure_kind(&error)),
        )),
    }
}

pub(super) async fn boot(subject: &Subject) -> Verdict {
    let (full, all_calls) = {
        let case = subject.case();
        case.ok("boot", case.rich_node().boot().await)?;
        (case.objects().await?, case.trace.calls())
    };
    if all_calls == 0 {
        return Ok(Outcome::Skipped("a boot calls nothing".into()));
    }
    for start in Start::all(subject) {
        let calls = {
            let (case, _) = start.reach(subject).await?;
            let before = case.trace.calls();
            case.ok(start.name(), case.rich_node().boot().await)?;
            case.trace.calls() - before
        };
        for call in 1..=calls {
            let (mut case, before) = start.reach(subject).await?;
            let cancelled = cancelled_at(&mut case, call, start.name(), async |node| {
                node.boot().await
            })
            .await?;
            let when = format!("after a {} that was cancelled at call {call}", start.name());
            if cancelled {
                start.stays(&case, &when, &before, true).await?;
            } else {
                start.runs(&case, &when, &before, &full).await?;
            }
            case.ok(&format!("boot {when}"), case.rich_node().boot().await)?;
            let when = format!("after another boot {when}");
            start.runs(&case, &when, &before, &full).await?;
        }
    }
    Ok(Outcome::Passed)
}

pub(super) async fn stop_and_remove(subject: &Subject) -> Verdict {
    let (stop_calls, remove_calls) = {
        let case = booted(subject).await?;
        let before = case.trace.calls();
        case.ok("stop", case.rich_node().stop(STOP).await)?;
        let between = case.trace.calls();
        case.ok("remove", case.rich_node().remove(REMOVE).await)?;
        (between - before, case.trace.calls() - between)
    };
    if stop_calls + remove_calls == 0 {
        return Ok(Outcome::Skipped("stop and remove call nothing".into()));
    }
    for call in 1..=stop_calls {
        let mut case = booted(subject).await?;
        cancelled_at(&mut case, call, "stop", async |node| node.stop(STOP).await).await?;
        let when = format!("after a stop that was cancelled at call {call}");
        case.ok(&format!("stop {when}"), case.rich_node().stop(STOP).await)?;
        if subject.nature.keeps_daemon() {
            let stopped = [Status::Stopped, Status::Inactive];
            case.status(&when, &case.rich_node(), &stopped).await?;
        }
    }
    let keeps = subject.nature.keeps_volume().then_some(KEEP_STATE);
    for options in [REMOVE].into_iter().chain(keeps) {
        for call in 1..=remove_calls {
            let mut case = booted(subject).await?;
            let before = Pictures::take(&case).await?;
            cancelled_at(&mut case, call, "remove", async |node| {
                node.remove(options).await
            })
            .await?;
            let when = format!("after a remove that was cancelled at call {call}");
            case.ok(
                &format!("remove {when}"),
                case.rich_node().remove(options).await,
            )?;
            before
                .are_removed(&case, &format!("after another remove {when}"), options)
                .await?;
        }
    }
    Ok(Outcome::Passed)
}
