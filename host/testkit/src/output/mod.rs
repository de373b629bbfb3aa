//! Reports in the formats that other programs read.

pub mod junit;
pub mod tap;

use crate::report::{Coverage, Failure, Report, Status, TestResult};

impl Report {
    /// For `cargo test`.
    ///
    /// # Panics
    ///
    /// Where a test failed, with every failure in full.
    #[track_caller]
    pub fn assert_passed(&self) {
        if self.passed() {
            return;
        }
        let mut text = String::new();
        for test in &self.tests {
            if let Some(failure) = &test.failure {
                text += &format!("\n{}\n", self::failure(test, failure));
            }
        }
        if text.is_empty() {
            text = " the run is not complete".into();
        }
        panic!("driver {}:{text}", self.subject.driver);
    }
}

/// Returns a failure in full, for a person.
pub fn failure(test: &TestResult, failure: &Failure) -> String {
    let mut text = format!(
        "{}\n  required: {}\n  expected: {}\n  happened: {}",
        test.name,
        test.requirement,
        indented(&failure.expected, 12),
        indented(&failure.happened, 12)
    );
    if !failure.trace.is_empty() {
        text += "\n  what the driver did:\n    ";
        text += &failure.trace.join("\n    ");
    }
    text + &format!("\n  to run only this: {}", test.rerun)
}

/// Returns how many tests ended how, in one line.
pub fn summary(report: &Report) -> String {
    let mut parts = Vec::new();
    for (status, word) in [
        (Status::Passed, "passed"),
        (Status::Warned, "passed with a warning"),
        (Status::Skipped, "skipped"),
        (Status::Failed, "failed"),
    ] {
        let count = report.count(status);
        if count > 0 || status == Status::Failed {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}

/// Returns what of the contract was seen, a line each.
pub fn coverage(coverage: &Coverage) -> Vec<String> {
    let list = |names: &mut dyn Iterator<Item = String>| {
        let names: Vec<_> = names.collect();
        match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        }
    };
    let called = &mut coverage
        .called
        .iter()
        .map(|(name, times)| format!("{name} ({times})"));
    vec![
        format!(
            "exports called: {}",
            list(&mut coverage.exports_called.iter().cloned())
        ),
        format!(
            "exports never called: {}",
            list(&mut coverage.exports_never_called.iter().cloned())
        ),
        format!("imports called: {}", list(called)),
        format!(
            "imports never called: {}",
            list(&mut coverage.never_called.iter().cloned())
        ),
    ]
}

/// Returns the lines after the first one moved to the right.
fn indented(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{:by$}", ""))
}
