//! One test of a run, whatever it tests.

use std::time::Duration;

use iechor_sandbox::{Grant, Source};

use crate::conformance::{Outcome, Planned, Verdict};
use crate::kit::Kit;
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

    pub(crate) async fn run(&self, subject: &Subject, bless: bool) -> Verdict {
        match self {
            Self::Check(check) => check.run(subject).await,
            Self::Scenario(scenario) => scenario.run(subject, bless).await,
        }
    }

    /// Returns the command that runs only that test again.
    pub(crate) fn rerun(&self, kit: &Kit) -> String {
        let mut command = format!("iechor driver test {}", word(kit.driver.name()));
        if kit.real.is_some() {
            command += " --engine real";
        }
        if let Some(real) = &kit.real
            && *kit.driver.source() != Source::Embedded
        {
            for grant in &real.granted {
                for flag in flags(grant) {
                    command += &format!(" --grant {}", word(&flag));
                }
            }
        }
        for (name, value) in &kit.options {
            command += &format!(" --driver-opt {}", word(&format!("{name}={value}")));
        }
        if let Some(endpoint) = &kit.endpoint {
            command += &format!(" --endpoint {}", word(endpoint));
        }
        if let Test::Scenario(scenario) = self {
            command += &format!(" --scenario {}", word(&scenario.path.display().to_string()));
        }
        command + &format!(" --only {}", word(self.name()))
    }
}

/// Returns a grant as the flag `--grant` takes it: one for each pattern.
fn flags(grant: &Grant) -> Vec<String> {
    match grant.scope.as_slice() {
        [] => vec![grant.name.clone()],
        scope => scope
            .iter()
            .map(|pattern| format!("{}={pattern}", grant.name))
            .collect(),
    }
}

/// Returns a word as a shell takes it.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
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
