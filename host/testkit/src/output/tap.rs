//! TAP 14, line by line as results come.

use super::{coverage, summary};
use crate::report::{Report, Status, Subject, TestResult};

/// The first lines.
pub fn begin(subject: &Subject) -> String {
    let granted = match subject.granted.as_slice() {
        [] => "nothing".to_owned(),
        granted => granted.join(", "),
    };
    format!(
        "TAP version 14\n# driver {} {}\n# {}\n# engine: {}, endpoint of the configuration: {}\n# granted within this run: {granted}\n",
        subject.driver,
        one_line(&subject.version),
        subject.digest,
        subject.engine,
        one_line(&subject.endpoint),
    )
}

/// The test of that number, counted from 1.
pub fn test(number: usize, test: &TestResult) -> String {
    let name = one_line(&test.name);
    let note = test.note.as_deref().map(one_line).unwrap_or_default();
    match (test.status, &test.failure) {
        (Status::Skipped, _) => format!("ok {number} - {name} # SKIP {note}\n"),
        (Status::Warned, _) => format!("ok {number} - {name}\n# warning: {note}\n"),
        (_, Some(failure)) => {
            let mut text = format!("not ok {number} - {name}\n  ---\n");
            for (key, value) in [
                ("required", test.requirement.as_str()),
                ("expected", &failure.expected),
                ("happened", &failure.happened),
                ("trace", &failure.trace.join("\n")),
                ("rerun", &test.rerun),
            ] {
                if !value.is_empty() {
                    text += &format!("  {key}: |\n");
                    for line in value.lines() {
                        text += &format!("    {line}\n");
                    }
                }
            }
            text + "  ...\n"
        }
        _ => format!("ok {number} - {name}\n"),
    }
}

/// The last lines.
pub fn end(report: &Report) -> String {
    let mut text = format!("1..{}\n", report.tests.len());
    if report.cancelled {
        text += "Bail out! cancelled\n";
    }
    for line in coverage(&report.coverage) {
        text += &format!("# {line}\n");
    }
    text + &format!("# {}\n", summary(report))
}

/// `#` and line ends have a meaning of their own.
fn one_line(text: &str) -> String {
    text.replace('\n', " ").replace('#', "\\#")
}
