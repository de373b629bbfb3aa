//! What takes time, on virtual time: hours pass at once.

use std::time::Duration;

use iechor_engine::model::LogStream;
use iechor_engine::simulated::Behavior;
use iechor_sandbox::{DriverError, limits};
use tokio::time::Instant;

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

/// The error of a boot that must fail, and how long it took.
async fn failed_boot(case: &Case<'_>, what: &str) -> Result<(DriverError, Duration), Failure> {
    let begun = Instant::now();
    let result = case.node().boot().await;
    let took = begun.elapsed();
    case.typed(what, &result)?;
    let Err(error) = result else {
        return Err(case.failure(format!("{what} fails"), "it succeeded"));
    };
    case.has(&format!("after {what}"), &[]).await?;
    Ok((error, took))
}

pub(super) async fn silent(subject: &Subject, answers: Answers) -> Verdict {
    let case = subject.case();
    case.answers(answers)?;
    let what = match answers {
        Answers::Hangs => "boot of a BuildKit that hangs",
        _ => "boot of a BuildKit that never answers",
    };
    let (error, took) = failed_boot(&case, what).await?;
    if matches!(error, DriverError::TimedOut { .. }) {
        return Ok(Outcome::Warned(format!(
            "the boot used up all of the {} s that it had; ended by the driver itself it could say why",
            limits::BOOT.as_secs()
        )));
    }
    if took > limits::BOOT {
        return Err(case.failure(
            format!("{what} ends within {} s", limits::BOOT.as_secs()),
            format!("it took {} s", took.as_secs()),
        ));
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
    for (what, behavior) in [
        ("a container that ends at once", Behavior::exits(3)),
        (
            "a container that ends after a while",
            Behavior::exits(3).after_calls(4),
        ),
    ] {
        let case = subject.case();
        case.answers(Answers::Never)?;
        case.processes(behavior.with_log(LogStream::Stderr, line))?;
        let what = format!("boot with {what}");
        let (error, took) = failed_boot(&case, &what).await?;
        let words = error.to_string();
        if !words.contains(line) || !words.contains('3') {
            return Err(case.failure(
                format!("{what} fails with exit code 3 and the log line {line:?}"),
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
    Ok(Outcome::Passed)
}

pub(super) async fn stillborn_container(subject: &Subject) -> Verdict {
    let case = subject.case();
    case.processes(Behavior::never_starts("exec format error"))?;
    let what = "boot with a container that cannot start";
    let (error, _) = failed_boot(&case, what).await?;
    if !error.to_string().contains("exec format error") {
        return Err(case.failure(
            format!("{what} fails with the engine's words: exec format error"),
            format!("{}: {error}", failure_kind(&error)),
        ));
    }
    Ok(Outcome::Passed)
}
