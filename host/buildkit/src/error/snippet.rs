//! The lines around a place in a source file.

use super::SourceError;
use crate::status::Range;

/// Maximum number of lines that a snippet shows. A heredoc is the longest instruction.
const MOST_LINES: i64 = 200;

impl SourceError {
    fn contains(&self, line: i64) -> bool {
        self.ranges.iter().any(|range| {
            let (start, end) = lines(range);
            start <= line && line <= end
        })
    }
}

/// Returns the first and the last line of a range. A range may have no end.
fn lines(range: &Range) -> (i64, i64) {
    let start = i64::from(range.start.line);
    (start, start.max(i64::from(range.end.line)))
}

/// Returns the lines around a place, with marks, as buildx prints them before `ERROR:`. Returns
/// none if the place is outside the text.
///
/// The lines contain the text of the file. Clean them before you display them.
///
/// ```text
/// Dockerfile:3
/// --------------------
///    1 |     FROM x
///    2 |
///    3 | >>> RUN false
/// --------------------
/// ```
pub fn source_snippet(source: &SourceError) -> Vec<String> {
    // As in `errdefs.Source.Print`: four lines around a single line, two around a range.
    let text = &source.info.data;
    let line_ends = text.iter().filter(|byte| **byte == b'\n').count();
    let count = i64::try_from(line_ends)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let starts = source.ranges.iter().map(|range| lines(range).0);
    let ends = source.ranges.iter().map(|range| lines(range).1);
    let (Some(first), Some(last)) = (starts.min(), ends.max()) else {
        return Vec::new();
    };
    if first < 1 || first > count {
        return Vec::new();
    }
    let mut start = first;
    let mut end = last.min(count);
    let padding = if start == end { 4 } else { 2 };
    let mut padded = 0;
    while padded < padding {
        if start > 1 {
            start -= 1;
            padded += 1;
        }
        if end != count {
            end += 1;
            padded += 1;
        }
        padded += 1;
    }
    let rule = "--------------------";
    let mut snippet = vec![format!("{}:{first}", source.info.filename), rule.to_owned()];
    let shown = (1_i64..).zip(text.split(|byte| *byte == b'\n'));
    for (number, line) in shown.skip_while(|(number, _)| *number < start) {
        if number > end {
            break;
        }
        if number - start == MOST_LINES {
            snippet.push(format!(
                "       |     ... ({} more lines)",
                end - number + 1
            ));
            break;
        }
        let mark = if source.contains(number) {
            ">>>"
        } else {
            "   "
        };
        let line = String::from_utf8_lossy(line);
        snippet.push(format!(" {number:3} | {mark} {line}"));
    }
    snippet.push(rule.to_owned());
    snippet
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::status::{Position, SourceInfo};

    /// A Dockerfile, and the lines of it that an error is about.
    pub(in crate::error) fn source(text: &str, start: i32, end: i32) -> SourceError {
        let line = |line| Position { line, character: 0 };
        SourceError {
            info: SourceInfo {
                filename: "Dockerfile".into(),
                data: Bytes::copy_from_slice(text.as_bytes()),
                language: "Dockerfile".into(),
            },
            ranges: vec![Range {
                start: line(start),
                end: line(end),
            }],
        }
    }

    fn snippet(source: &SourceError) -> String {
        let lines = source_snippet(source);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_snippet_is_that_of_the_peer() {
        let rule = "--------------------\n";
        assert_eq!(
            snippet(&source("FROM x\n\nRUN false\n", 3, 3)),
            format!(
                "Dockerfile:3\n{rule}   1 |     FROM x\n   2 |     \n   3 | >>> RUN false\n   4 |     \n{rule}"
            )
        );
        // A range has two lines of padding, and a range that ends before it starts is one line.
        assert_eq!(
            snippet(&source("a\nb\nc\nd\ne\nf", 3, 4)),
            format!(
                "Dockerfile:3\n{rule}   2 |     b\n   3 | >>> c\n   4 | >>> d\n   5 |     e\n{rule}"
            )
        );
        assert_eq!(
            snippet(&source("a", 1, 0)),
            format!("Dockerfile:1\n{rule}   1 | >>> a\n{rule}")
        );
    }

    #[test]
    fn a_place_outside_the_text_gives_no_snippet() {
        assert_eq!(snippet(&source("a\n", 9, 9)), "");
        assert_eq!(snippet(&source("a\n", 0, 0)), "");
        assert_eq!(snippet(&source("a\n", -7, -7)), "");
        assert_eq!(snippet(&SourceError::default()), "");
    }

    #[test]
    fn a_snippet_of_a_huge_range_is_cut() {
        let lines = source_snippet(&source(&"x\n".repeat(100_000), 1, i32::MAX));
        assert_eq!(lines.len(), 204);
        assert_eq!(lines[202], "       |     ... (99801 more lines)");
    }
}
