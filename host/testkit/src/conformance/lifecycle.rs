//! From nothing to a running BuildKit and back.

use iechor_sandbox::contract::Status;

use super::start::Pictures;
use super::{Outcome, Verdict};
use crate::case::{Case, REMOVE, REMOVE_GENTLY, STOP, STOPS};
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

/// Returns how `dial` says that there is nothing: `not-running` where a boot could change that, which it can
/// where the driver has to do with containers. Of somebody else's daemon, whether it runs cannot be
/// told from whether it can be reached.
fn not_running(subject: &Subject) -> &'static [&'static str] {
    let containers = "iechor:driver/container@";
    let imports = subject.driver.imports();
    if imports.iter().any(|import| import.starts_with(containers)) {
        &["not-running"]
    } else {
        &["not-running", "unavailable"]
    }
}

/// Nothing that the driver could reach, where that can be had.
fn emptied(case: &Case<'_>) -> Result<Option<Outcome>, Failure> {
    if case.subject.nature.keeps_daemon() {
        return Ok(None);
    }
    if case.subject.nature.opens_engine {
        let reason = "the BuildKit that this driver reaches is there for as long as the engine is";
        return Ok(Some(Outcome::Skipped(reason.into())));
    }
    if case.stage().is_err() {
        let reason = "the daemon that this driver reaches is there whatever the driver does";
        return Ok(Some(Outcome::Skipped(reason.into())));
    }
    case.without_daemons()?;
    Ok(None)
}

pub(super) async fn info_of_nothing(subject: &Subject) -> Verdict {
    let case = subject.case();
    if let Some(skipped) = emptied(&case)? {
        return Ok(skipped);
    }
    case.status("of nothing", &case.node(), &[Status::Inactive])
        .await?;
    case.has("after info of nothing", &[]).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn dial_before_boot(subject: &Subject) -> Verdict {
    let case = subject.case();
    if let Some(skipped) = emptied(&case)? {
        return Ok(skipped);
    }
    let kinds = not_running(subject);
    case.refused(
        "dial before boot",
        case.node().dial().await.map(drop),
        kinds,
    )?;
    case.refused("version before boot", case.node().version().await, kinds)?;
    case.has("after dial", &[]).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn stop_and_remove_of_nothing(subject: &Subject) -> Verdict {
    let case = subject.case();
    if let Some(skipped) = emptied(&case)? {
        return Ok(skipped);
    }
    for options in STOPS {
        let stop = format!("stop of nothing with {options:?}");
        case.ok(&stop, case.node().stop(options).await)?;
    }
    for options in [REMOVE, REMOVE_GENTLY] {
        let remove = format!("remove of nothing with {options:?}");
        case.ok(&remove, case.node().remove(options).await)?;
    }
    case.has("after remove of nothing", &[]).await?;
    Ok(Outcome::Passed)
}

/// Returns a world in which the driver has booted.
pub(super) async fn booted(subject: &Subject) -> Result<Case<'_>, Failure> {
    let case = subject.case();
    case.ok("boot", case.node().boot().await)?;
    Ok(case)
}

pub(super) async fn boot_makes_it_run(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    case.status("after boot", &case.node(), &[Status::Running])
        .await?;
    let version = case.ok("version after boot", case.node().version().await)?;
    if version.trim().is_empty() {
        return Err(case.failure("version after boot is BuildKit's", "it is empty"));
    }
    case.ok("features after boot", case.node().features().await)?;
    Ok(Outcome::Passed)
}

pub(super) async fn dial_after_boot(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let node = case.node();
    let first = case.ok("dial after boot", node.dial().await)?;
    case.reaches_buildkit("after boot, beside another connection", &node)
        .await?;
    drop(first);
    case.reaches_buildkit("after that connection went", &node)
        .await?;
    Ok(Outcome::Passed)
}

pub(super) async fn fresh_instance(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let before = case
        .status("after boot", &case.node(), &[Status::Running])
        .await?;
    let version = case.ok("version", case.node().version().await)?;
    let features = case.ok("features", case.node().features().await)?;
    let fresh = case.node();
    let after = case.ok("info in a fresh instance", fresh.info().await)?;
    let again = (
        case.ok("version in a fresh instance", fresh.version().await)?,
        case.ok("features in a fresh instance", fresh.features().await)?,
    );
    let (before, after) = (
        format!("{:?} {version} {features:?}", before.status),
        format!("{:?} {} {:?}", after.status, again.0, again.1),
    );
    if before != after {
        return Err(case.failure(format!("a fresh instance answers {before}"), after));
    }
    case.reaches_buildkit("in a fresh instance", &fresh).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn second_boot(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let before = Pictures::take(&case).await?;
    case.ok("a second boot", case.node().boot().await)?;
    let after = Pictures::take(&case).await?;
    if before != after {
        return Err(case.failure(
            format!("a second boot leaves everything as it is: {before:?}"),
            format!("{after:?}"),
        ));
    }
    Ok(Outcome::Passed)
}

pub(super) async fn stop_and_remove_twice(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    for options in STOPS {
        case.ok("boot before stop", case.node().boot().await)?;
        for time in ["first", "second"] {
            let stop = format!("the {time} stop with {options:?}");
            case.ok(&stop, case.node().stop(options).await)?;
        }
        if subject.nature.keeps_daemon() {
            let ended = [Status::Stopped, Status::Inactive];
            case.status("after stop", &case.node(), &ended).await?;
        }
    }
    for time in ["first", "second"] {
        case.ok(
            &format!("the {time} remove"),
            case.node().remove(REMOVE).await,
        )?;
    }
    case.has("after remove", &[]).await?;
    // Straight from running, too.
    for options in [REMOVE, REMOVE_GENTLY] {
        case.ok("boot after remove", case.node().boot().await)?;
        let remove = format!("remove of a running builder with {options:?}");
        case.ok(&remove, case.node().remove(options).await)?;
        case.has(&format!("after {remove}"), &[]).await?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn host_gateway(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    match case.node().host_gateway().await {
        Ok(address) if address.trim().is_empty() => {
            Err(case.failure("an address or unsupported", "an empty address"))
        }
        Ok(_) => Ok(Outcome::Passed),
        Err(error) if failure_kind(&error) == "unsupported" => Ok(Outcome::Passed),
        Err(error) => Err(case.failure(
            "host-gateway returns an address or unsupported",
            format!("{}: {error}", failure_kind(&error)),
        )),
    }
}

pub(super) async fn handles(subject: &Subject) -> Verdict {
    let case = booted(subject).await?;
    let node = case.node();
    case.ok("info", node.info().await)?;
    case.ok("dial", node.dial().await)?;
    case.ok("version", node.version().await)?;
    case.ok("features", node.features().await)?;
    case.ok("stop", node.stop(STOP).await)?;
    case.ok("remove", node.remove(REMOVE).await)?;
    let kept: Vec<_> = case
        .trace
        .kept()
        .into_iter()
        .map(|(kind, number)| format!("{number} of kind {kind}"))
        .collect();
    Ok(if kept.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Warned(format!(
            "handles are open when an operation returns: {}",
            kept.join(", ")
        ))
    })
}
