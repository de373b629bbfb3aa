//! JUnit XML, as build servers read it.

use std::fmt::Write;

use super::{coverage, failure};
use crate::report::{Report, Status};

/// Returns the report as one document.
pub fn render(report: &Report) -> String {
    let total: u64 = report.tests.iter().map(|test| test.milliseconds).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">",
        escaped(&report.subject.driver),
        report.tests.len(),
        report.count(Status::Failed),
        report.count(Status::Skipped),
        seconds(total),
    );
    text += "    <properties>\n";
    for (name, value) in [
        ("version", report.subject.version.as_str()),
        ("digest", &report.subject.digest),
        ("engine", &report.subject.engine),
        ("endpoint", &report.subject.endpoint),
        ("granted", &report.subject.granted.join(" ")),
    ] {
        let _ = writeln!(
            text,
            "      <property name=\"{name}\" value=\"{}\"/>",
            escaped(value)
        );
    }
    text += "    </properties>\n";
    for test in &report.tests {
        let _ = write!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
            escaped(&report.subject.driver),
            escaped(&test.name),
            seconds(test.milliseconds)
        );
        let note = escaped(test.note.as_deref().unwrap_or_default());
        match (test.status, &test.failure) {
            (Status::Skipped, _) => {
                let _ = writeln!(
                    text,
                    ">\n      <skipped message=\"{note}\"/>\n    </testcase>"
                );
            }
            (Status::Warned, _) => {
                let _ = writeln!(
                    text,
                    ">\n      <system-out>warning: {note}</system-out>\n    </testcase>"
                );
            }
            (_, Some(reason)) => {
                let words = failure(test, reason);
                let _ = writeln!(
                    text,
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(&reason.happened),
                    escaped(&words)
                );
            }
            _ => text += "/>\n",
        }
    }
    let _ = writeln!(
        text,
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>",
        escaped(&coverage(&report.coverage).join("\n"))
    );
    text
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Text as XML takes it, in content and in attributes: without characters that it has no way to
/// write.
fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => clean.push_str("&amp;"),
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            '"' => clean.push_str("&quot;"),
            '\n' | '\t' => clean.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => clean.push(c),
        }
    }
    clean
}
