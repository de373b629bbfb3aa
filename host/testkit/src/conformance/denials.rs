//! What a driver does without what it asks for.

use iechor_sandbox::DriverError;

use super::{Outcome, Verdict};
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

pub(super) async fn one(subject: &Subject, capability: &str) -> Verdict {
    let mut case = subject.case();
    let required = subject
        .descriptor
        .capabilities
        .iter()
        .any(|request| request.name == capability && request.required);
    case.deny(capability);
    match case.node().boot().await {
        Ok(()) if required => Err(case.failure(
            format!("boot without {capability}, which the driver says it needs, is denied"),
            "it succeeded; a capability that it can do without is not `required`",
        )),
        Ok(()) => Ok(Outcome::Skipped(format!(
            "a boot of its plain configuration succeeds without {capability}"
        ))),
        Err(DriverError::Denied { denial, .. }) if denial.capability == capability => {
            case.has(&format!("after a boot without {capability}"), &[])
                .await?;
            Ok(Outcome::Passed)
        }
        Err(error) => Err(wrong(&case, capability, &error)),
    }
}

fn wrong(case: &crate::case::Case<'_>, capability: &str, error: &DriverError) -> Failure {
    case.failure(
        format!("boot without {capability} is denied, naming {capability}"),
        format!("{}: {error}", failure_kind(error)),
    )
}

pub(super) async fn all(subject: &Subject) -> Verdict {
    let mut case = subject.case();
    case.deny_all();
    match case.node().boot().await {
        Ok(()) => Ok(Outcome::Passed),
        Err(DriverError::Denied { .. }) => {
            case.has("after a boot with nothing granted", &[]).await?;
            Ok(Outcome::Passed)
        }
        Err(error) => Err(case.failure(
            "boot with nothing granted is denied",
            format!("{}: {error}", failure_kind(&error)),
        )),
    }
}
