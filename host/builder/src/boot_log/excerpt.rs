//! The lines of a log that say most about a failure.

use std::fmt;

/// Stands for lines that are left out.
pub(super) const GAP: &str = "...";

/// Maximum number of lines of an excerpt, without gaps.
const MOST: usize = 12;

/// Lines of the beginning: a program that refuses its arguments says so first, then explains its usage.
const FIRST: usize = 2;

/// Lines of the end: a program that runs for a while says last why it ends.
const LAST: usize = 4;

/// Maximum length of a line, in characters.
const LINE: usize = 1000;

/// Words of lines that are about errors, in lower case.
const WORDS: [&str; 9] = [
    "error",
    "fatal",
    "panic",
    "fail",
    "invalid",
    "not defined",
    "unknown",
    "cannot",
    "no such",
];

/// A line of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) is_stderr: bool,
    pub(super) text: String,
}

/// Shows the line as in the file of the whole log.
impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = if self.is_stderr { "stderr" } else { "stdout" };
        writeln!(formatter, "{stream}: {}", self.text)
    }
}

/// Splits the pieces of two streams into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    complete: Vec<Line>,
    begun: [Vec<u8>; 2],
}

impl Lines {
    /// Adds a piece of a stream.
    pub(super) fn push(&mut self, is_stderr: bool, mut data: &[u8]) {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            self.begun[usize::from(is_stderr)].extend_from_slice(&data[..end]);
            self.complete(is_stderr);
            data = &data[end + 1..];
        }
        self.begun[usize::from(is_stderr)].extend_from_slice(data);
    }

    /// Returns all lines, those without an end at last. Empty lines are left out.
    pub(super) fn finish(mut self) -> Vec<Line> {
        for is_stderr in [false, true] {
            self.complete(is_stderr);
        }
        self.complete
    }

    fn complete(&mut self, is_stderr: bool) {
        let bytes = std::mem::take(&mut self.begun[usize::from(is_stderr)]);
        let text = String::from_utf8_lossy(&bytes);
        let text = iechor_text::clean_line(text.trim_end(), LINE);
        if !text.trim().is_empty() {
            self.complete.push(Line { is_stderr, text });
        }
    }
}

/// Returns the lines that say most: the first and the last ones, and between them those about errors, the first of
/// which are more often the cause. A gap stands for the others. A line that repeats is there once: the engine may have
/// started the program several times.
pub(super) fn excerpt(lines: &[&str]) -> Vec<String> {
    let mut lines = lines.to_vec();
    lines.dedup();
    if lines.len() <= MOST {
        return lines.iter().map(|line| (*line).to_owned()).collect();
    }
    let end = lines.len() - LAST;
    let about_errors = (FIRST..end).filter(|index| is_about_an_error(lines[*index]));
    let mut shown: Vec<usize> = (0..FIRST).collect();
    shown.extend(about_errors.take(MOST - FIRST - LAST));
    shown.extend(end..lines.len());
    let mut excerpt = Vec::new();
    let mut next = 0;
    for index in shown {
        if index > next {
            excerpt.push(GAP.to_owned());
        }
        excerpt.push(lines[index].to_owned());
        next = index + 1;
    }
    excerpt
}

fn is_about_an_error(line: &str) -> bool {
    let line = line.to_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_two_streams_do_not_mix() {
        let mut lines = Lines::default();
        lines.push(false, b"one\ntw");
        lines.push(true, b"err");
        lines.push(false, b"o\r\n\n");
        lines.push(true, b"or\x1b[2J\nlast");
        let shown: Vec<_> = lines.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "stdout: one\n",
                "stdout: two\n",
                "stderr: error\n",
                "stderr: last\n"
            ]
        );
    }

    #[test]
    fn the_cause_is_in_the_excerpt() {
        let usage: Vec<String> = (0..60)
            .map(|line| format!("   --flag-{line} VALUE"))
            .collect();
        let usage: Vec<&str> = usage.iter().map(String::as_str).collect();
        let first = ["flag provided but not defined: -nosuchflag", "Usage:"];
        // The cause is at the beginning, in the middle, or at the end.
        let at_first = [&first[..], &usage].concat();
        let between = [&usage[..20], &["level=fatal msg=\"the cause\""], &usage].concat();
        let at_last = [&usage[..], &["buildkitd: the cause"]].concat();
        for (lines, cause) in [
            (at_first, "not defined: -nosuchflag"),
            (between, "the cause"),
            (at_last, "the cause"),
        ] {
            let shown = excerpt(&lines);
            assert!(shown.iter().any(|line| line.contains(cause)), "{shown:?}");
            assert!(shown.contains(&GAP.to_owned()), "{shown:?}");
            assert!(shown.len() <= MOST + 3, "{shown:?}");
        }
        // Many errors: the first ones.
        let many: Vec<String> = (0..60).map(|line| format!("error {line}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let shown = excerpt(&many);
        assert_eq!(shown[..3], ["error 0", "error 1", "error 2"]);
        assert_eq!(shown.last().map(String::as_str), Some("error 59"));
        // A short log is shown whole.
        assert_eq!(excerpt(&many[..MOST]), many[..MOST]);
        assert_eq!(excerpt(&[]), Vec::<String>::new());
        assert_eq!(excerpt(&["a"; 60]), ["a"]);
    }
}
