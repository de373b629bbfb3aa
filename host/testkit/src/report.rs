//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As required.
    Passed,
    /// As required, with something that its author should know.
    Warned,
    /// It does not apply, or cannot be asked of this engine.
    Skipped,
    /// Not as required.
    Failed,
}

/// What was required and what happened instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// What was required.
    pub expected: String,
    /// What happened.
    pub happened: String,
    /// The end of the trace: operations, and calls to the host below them.
    pub trace: Vec<String>,
}

impl Failure {
    /// One where no call to the host matters.
    pub fn new(expected: impl Into<String>, happened: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            happened: happened.into(),
            trace: Vec::new(),
        }
    }
}

/// One test and how it ended.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TestResult {
    /// What `--only` takes.
    pub name: String,
    /// What is required, why, and where that is written.
    pub requirement: String,
    /// How it ended.
    pub status: Status,
    /// Why it was skipped or warns.
    pub note: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The command that runs only this test again.
    pub rerun: String,
    /// Wall time, in milliseconds.
    pub milliseconds: u64,
}

/// How much of the contract a run saw.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Coverage {
    /// Functions of the host, and how often they were called.
    pub called: BTreeMap<String, u64>,
    /// Functions that the driver imports and never called.
    pub never_called: BTreeSet<String>,
    /// Exports that were called.
    pub exports_called: BTreeSet<String>,
    /// Exports that were not.
    pub exports_never_called: BTreeSet<String>,
}

/// What was tested.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Subject {
    /// The name that it was loaded by.
    pub driver: String,
    /// What it says that it is.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `simulated` or `real`.
    pub engine: String,
    /// The endpoint that its configuration names.
    pub endpoint: String,
    /// The capabilities that it was granted within the run.
    pub granted: Vec<String>,
}

/// Every test of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this schema; it changes where a reader would have to.
    pub schema: u32,
    /// What was tested.
    pub subject: Subject,
    /// The tests, in the order in which they ran.
    pub tests: Vec<TestResult>,
    /// How much of the contract they saw.
    pub coverage: Coverage,
    /// The run was cancelled: tests are missing.
    pub cancelled: bool,
}

impl Report {
    /// Returns how many tests ended so.
    pub fn count(&self, status: Status) -> usize {
        self.tests
            .iter()
            .filter(|test| test.status == status)
            .count()
    }

    /// Returns whether nothing failed and nothing is missing.
    pub fn passed(&self) -> bool {
        self.count(Status::Failed) == 0 && !self.cancelled && !self.tests.is_empty()
    }

    /// Returns the test of that name.
    pub fn test(&self, name: &str) -> Option<&TestResult> {
        self.tests.iter().find(|test| test.name == name)
    }
}
