//! One test of a run, whatever it tests.

use std::path::Path;
use std::time::Duration;

use crate::conformance::{Outcome, Planned, Verdict};
use crate::report::{Status, TestResult};
use crate::scenario::Scenario;
use crate::subject::Subject;

/// Something to run.
pub(crate) enum Test<'a> {
    Check(&'a Planned),
    Scenario(&'a Scenario),
}

impl Test<'_> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Check(check) => &check.name,
            Self::Scenario(scenario) => &scenario.name,
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Check(check) => check.requirement.text,
            Self::Scenario(scenario) => scenario.summary(),
        }
    }

    /// Returns the file of the scenario, if the test is one.
    pub(crate) fn scenario(&self) -> Option<&Path> {
        match self {
            Self::Check(_) => None,
            Self::Scenario(scenario) => Some(&scenario.path),
        }
    }

    pub(crate) async fn run(&self, subject: &Subject, bless: bool) -> Verdict {
        match self {
            Self::Check(check) => check.run(subject).await,
            Self::Scenario(scenario) => scenario.run(subject, bless).await,
        }
    }
}

/// Returns what came of a test.
pub(crate) fn result(
    name: String,
    requirement: String,
    rerun: String,
    verdict: Verdict,
    took: Duration,
) -> TestResult {
    let (status, note, failure) = match verdict {
        Ok(Outcome::Passed) => (Status::Passed, None, None),
        Ok(Outcome::Warned(note)) => (Status::Warned, Some(note), None),
        Ok(Outcome::Skipped(reason)) => (Status::Skipped, Some(reason), None),
        Err(failure) => (Status::Failed, None, Some(failure)),
    };
    TestResult {
        name,
        requirement,
        status,
        note,
        failure,
        rerun,
        milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}
