//! What a driver does without what it asks for.

use iechor_sandbox::DriverError;

use super::start::Start;
use super::{Outcome, Verdict};
use crate::case::Case;
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

/// The capability that the host checks when it loads a result; no boot needs it.
const LOAD: &str = "engine.load";

pub(super) async fn one(subject: &Subject, capability: &str) -> Verdict {
    let mut case = subject.case();
    let required = subject
        .descriptor
        .capabilities
        .iter()
        .any(|request| request.name == capability && request.required);
    case.deny(capability);
    match case.node().boot().await {
        Ok(()) if capability == LOAD => return Ok(Outcome::Passed),
        Ok(()) if required => {
            return Err(case.failure(
                format!("boot without {capability}, which the driver says it needs, is denied"),
                "it succeeded; a capability that it can do without is not `required`",
            ));
        }
        Ok(()) => {
            drop(case);
            return otherwise(subject, capability).await;
        }
        Err(DriverError::Denied { denial, .. }) if denial.capability == capability => {
            case.has(&format!("after a boot without {capability}"), &[])
                .await?;
        }
        Err(error) => return Err(wrong(&case, capability, &error)),
    }
    drop(case);
    from_elsewhere(subject, Some(capability)).await?;
    Ok(Outcome::Passed)
}

/// Returns where a boot of the plain configuration does without the capability: one that does not, among
/// the other configurations that the driver accepts.
async fn otherwise(subject: &Subject, capability: &str) -> Verdict {
    if subject.real.is_none() {
        for config in subject.other_configs().await {
            let mut case = subject.case();
            case.deny(capability);
            let denied = case.driver.node(config.clone(), case.context());
            match denied.boot().await {
                Ok(()) => continue,
                Err(DriverError::Denied { denial, .. }) if denial.capability == capability => {
                    case.has(&format!("after a boot without {capability}"), &[])
                        .await?;
                    return Ok(Outcome::Passed);
                }
                Err(error) => {
                    // What does not work with everything granted says nothing of denials.
                    let granted = subject.case();
                    let granted = granted.driver.node(config, granted.context());
                    if granted.boot().await.is_ok() {
                        return Err(wrong(&case, capability, &error));
                    }
                }
            }
        }
    }
    Ok(Outcome::Skipped(format!(
        "no configuration that the kit thinks of makes a boot ask for {capability}; give the test \
         other options or another endpoint"
    )))
}

/// Returns the same without that capability, or without any, where there is something already: a boot may do
/// without what it needs to make that, and where it is denied all stays as it was.
async fn from_elsewhere(subject: &Subject, capability: Option<&str>) -> Result<(), Failure> {
    if subject.real.is_some() {
        return Ok(());
    }
    for start in Start::all(subject).filter(|start| *start != Start::Nothing) {
        let (mut case, before) = start.reach(subject).await?;
        match capability {
            Some(capability) => case.deny(capability),
            None => case.deny_all(),
        }
        let capability = capability.unwrap_or("any grant");
        match case.rich_node().boot().await {
            Ok(()) => {}
            Err(DriverError::Denied { .. }) => {
                let when = format!("after a {} without {capability}", start.name());
                start.stays(&case, &when, &before, true).await?;
            }
            Err(error) => return Err(wrong(&case, capability, &error)),
        }
    }
    Ok(())
}

fn wrong(case: &Case<'_>, capability: &str, error: &DriverError) -> Failure {
    case.failure(
        format!("boot without {capability} is denied, naming {capability}"),
        format!("{}: {error}", failure_kind(error)),
    )
}

pub(super) async fn all(subject: &Subject) -> Verdict {
    let mut case = subject.case();
    case.deny_all();
    match case.node().boot().await {
        Ok(()) => {}
        Err(DriverError::Denied { .. }) => {
            case.has("after a boot with nothing granted", &[]).await?;
        }
        Err(error) => {
            return Err(case.failure(
                "boot with nothing granted is denied",
                format!("{}: {error}", failure_kind(&error)),
            ));
        }
    }
    drop(case);
    from_elsewhere(subject, None).await?;
    Ok(Outcome::Passed)
}
