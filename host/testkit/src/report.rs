//! What came of a run.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The driver met the requirement.
    Passed,
    /// The driver met the requirement, but its author should read the note.
    Warned,
    /// The test does not apply to the driver or to the engine.
    Skipped,
    /// The driver did not meet the requirement.
    Failed,
}

/// What was required and what happened instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// What was required.
    pub expected: String,
    /// What happened.
    pub happened: String,
    /// End of the trace: operations, each with its calls to the host.
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

/// The result of a test.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TestResult {
    /// Name of the test, for `--only`.
    pub name: String,
    /// What is required, why, and where that is written.
    pub requirement: String,
    /// How the test ended.
    pub status: Status,
    /// Why the test was skipped or warns. Null if it did neither.
    pub note: Option<String>,
    /// Why the test failed. Null if it did not fail.
    pub failure: Option<Failure>,
    /// Command that runs only this test again.
    pub rerun: String,
    /// Duration of the test, in milliseconds.
    pub milliseconds: u64,
}

/// The part of the contract that a run used.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Coverage {
    /// Functions of the host that the driver called, each with the number of calls.
    pub called: BTreeMap<String, u64>,
    /// Functions of the host that the driver imports but never called.
    pub never_called: BTreeSet<String>,
    /// Functions of the driver that were called.
    pub exports_called: BTreeSet<String>,
    /// Functions of the driver that were never called.
    pub exports_never_called: BTreeSet<String>,
}

/// What was tested.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Subject {
    /// Name by which the driver was loaded.
    pub driver: String,
    /// Version of the driver.
    pub version: String,
    /// SHA-256 digest of the component.
    pub digest: String,
    /// Engine of the run: `simulated` or `real`.
    pub engine: String,
    /// Endpoint in the configuration of the driver.
    pub endpoint: String,
    /// Capabilities that were granted for the run.
    pub granted: Vec<String>,
}

/// All results of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// Version of this format. It increases with every change that a reader must know.
    pub schema: u32,
    /// What was tested.
    pub subject: Subject,
    /// Results of the tests, in the order in which they ran.
    pub tests: Vec<TestResult>,
    /// The part of the contract that the run used.
    pub coverage: Coverage,
    /// Whether the run was cancelled, so that results are missing.
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
