//! What takes time, on virtual time: hours pass at once.

use std::time::Duration;

use iechor_engine::model::LogStream;
use iechor_engine::simulated::Behavior;
use iechor_sandbox::{DriverError, limits};
use tokio::time::Instant;

use super::start::{Pictures, Start};
use super::{Outcome, Verdict};
use crate::buildkit::Answers;
use crate::case::Case;
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

/// How long a boot may take after its container died: the engine starts it again at growing
/// intervals, and whoever looks for the exit code has to wait for one of them.
const AFTER_DEATH: Duration = Duration::from_secs(30);
/// Tries after which a slow BuildKit answers.
const TRIES: u32 = 20;

pub(super) async fn late(subject: &Subject) -> Verdict {
    let case = subject.case();
    case.answers(Answers::After(TRIES))?;
    case.ok(
        "boot of a BuildKit that takes its time",
        case.node().boot().await,
    )?;
    let tries = case.stage()?.buildkit.tries();
    if tries <= TRIES {
        return Err(case.failure(
            "boot returns once BuildKit answers",
            format!("it returned after {tries} tries, none of which was answered"),
        ));
    }
    case.reaches_buildkit("after that boot", &case.node())
        .await?;
    Ok(Outcome::Passed)
}

/// Returns the error of a boot that must fail, and how long it took. What was there before stays; a container
/// that never answers may be given up for another.
async fn failed_boot(
    case: &Case<'_>,
    what: &str,
    before: &Pictures,
) -> Result<(DriverError, Duration), Failure> {
    let begun = Instant::now();
    let result = case.node().boot().await;
    let took = begun.elapsed();
    case.typed(what, &result)?;
    let Err(error) = result else {
        return Err(case.failure(format!("{what} fails"), "it succeeded"));
    };
    Start::Stopped
        .stays(case, &format!("after {what}"), before, true)
        .await?;
    Ok((error, took))
}

pub(super) async fn silent(subject: &Subject, answers: Answers) -> Verdict {
    let mut is_ended_by_host = false;
    for start in Start::all(subject) {
        let (case, before) = start.reach(subject).await?;
        case.answers(answers)?;
        let does = match answers {
            Answers::Hangs => "hangs",
            _ => "never answers",
        };
        let what = format!("{} where BuildKit {does}", start.name());
        let (error, took) = failed_boot(&case, &what, &before).await?;
        if matches!(error, DriverError::TimedOut { .. }) {
            is_ended_by_host = true;
        } else if took > limits::BOOT {
            return Err(case.failure(
                format!("{what} ends within {} s", limits::BOOT.as_secs()),
                format!("it took {} s", took.as_secs()),
            ));
        }
    }
    if is_ended_by_host {
        return Ok(Outcome::Warned(format!(
            "the boot used up all of the {} s that it had; ended by the driver itself it could say why",
            limits::BOOT.as_secs()
        )));
    }
    Ok(Outcome::Passed)
}

pub(super) async fn without_workers(subject: &Subject) -> Verdict {
    let case = subject.case();
    case.answers(Answers::WithoutWorkers)?;
    let result = case.node().boot().await;
    case.typed("boot of a BuildKit without workers", &result)?;
    if result.is_ok() {
        return Ok(Outcome::Warned(
            "the boot succeeded, and the first build will fail: ask for the workers".into(),
        ));
    }
    case.has("after a boot of a BuildKit without workers", &[])
        .await?;
    Ok(Outcome::Passed)
}

pub(super) async fn dying_container(subject: &Subject) -> Verdict {
    let line = "buildkitd: could not lock /var/lib/buildkit";
    // A container that runs already is past that.
    for start in Start::all(subject).filter(|start| *start != Start::Running) {
        for (when, behavior) in [
            ("at once", Behavior::exits(73)),
            ("after a while", Behavior::exits(73).after_calls(4)),
        ] {
            let (case, before) = start.reach(subject).await?;
            case.answers(Answers::Never)?;
            case.processes(behavior.with_log(LogStream::Stderr, line))?;
            let what = format!("{} whose container ends {when}", start.name());
            let (error, took) = failed_boot(&case, &what, &before).await?;
            let words = error.to_string();
            if !words.contains("73") {
                return Err(case.failure(
                    format!("{what} fails with exit code 73"),
                    format!("{}: {words}", failure_kind(&error)),
                ));
            }
            if took > AFTER_DEATH {
                return Err(case.failure(
                    format!("{what} ends within {} s", AFTER_DEATH.as_secs()),
                    format!("it took {} s", took.as_secs()),
                ));
            }
        }
    }
    Ok(Outcome::Passed)
}

pub(super) async fn stillborn_container(subject: &Subject) -> Verdict {
    for start in Start::all(subject).filter(|start| *start != Start::Running) {
        let (case, before) = start.reach(subject).await?;
        case.processes(Behavior::never_starts("exec format error"))?;
        let what = format!("{} whose container cannot start", start.name());
        let (error, _) = failed_boot(&case, &what, &before).await?;
        if !error.to_string().contains("exec format error") {
            return Err(case.failure(
                format!("{what} fails with the engine's words: exec format error"),
                format!("{}: {error}", failure_kind(&error)),
            ));
        }
    }
    Ok(Outcome::Passed)
}
