//! TAP 14, line by line as results come.

use super::{coverage, summary};
use crate::report::{Report, Status, Subject, TestResult};

/// Returns the first lines.
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

/// Returns the test of that number, counted from 1.
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
                text += &block(key, value);
            }
            text + "  ...\n"
        }
        _ => format!("ok {number} - {name}\n"),
    }
}

/// Returns an entry of a YAML document that is indented by two. Its indentation is told, or that of its
/// first line, which may have some of its own, would count for it.
fn block(key: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    let mut text = format!("  {key}: |2-\n");
    for line in value.lines() {
        // YAML has no way to write these in a block.
        let line: String = line
            .chars()
            .filter(|c| *c == '\t' || !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
            .collect();
        text += &format!("    {line}\n");
    }
    text
}

/// Returns the last lines.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads what [`block`] wrote by the rule of YAML 1.2 for a literal block scalar: its lines are
    /// those that are indented by what the indicator says more than the key, without that.
    fn read(entry: &str) -> String {
        let (head, body) = entry.split_once('\n').expect("a line");
        let (key, header) = head.split_once(": ").expect("an entry");
        let indicator = header.trim_start_matches('|').trim_end_matches('-');
        let own: usize = indicator.parse().expect("the indentation is told");
        let indentation = key.len() - key.trim_start().len() + own;
        let lines: Vec<_> = body
            .lines()
            .map(|line| line.get(indentation..).expect("it is indented"))
            .collect();
        lines.join("\n")
    }

    #[test]
    fn a_block_is_read_as_it_was_meant_whatever_its_first_line_is() {
        for text in [
            "plain",
            "  container.find a\nboot -> ok",
            "\n\nafter two lines",
            "--- \n...\n# no comment: {",
            "\ttab\n    deeper",
        ] {
            assert_eq!(read(&block("trace", text)), text);
        }
        assert_eq!(read(&block("trace", "\u{1b}[31mred\u{7}")), "[31mred");
        assert_eq!(block("trace", ""), "");
    }
}
