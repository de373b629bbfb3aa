//! Lines of text that are the program's, even if the text in them is foreign.

use iechor_text::{clean_line, unmarked};

/// Maximum length of a line, in characters. Programs that need longer lines read JSON.
const LONGEST: usize = 64 << 10;

/// Text that can be shown. Foreign text in it cannot begin a line.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Returns a text of one line.
    pub fn of_line(line: &str) -> Self {
        let mut text = Self::default();
        text.line(line);
        text
    }

    /// Takes lines that were prepared by other code, in which foreign text cannot begin a line.
    pub fn prepared(lines: String) -> Self {
        Self(lines)
    }

    /// Adds a line. It stays one line, and cannot look like an error or a hint of the program.
    pub fn line(&mut self, line: &str) {
        self.0 += &unmarked(&clean_line(line, LONGEST));
        self.0.push('\n');
    }

    /// Adds the lines of another text.
    pub fn append(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    /// Removes the spaces at the ends of lines.
    pub fn without_trailing_spaces(self) -> Self {
        let lines = self.0.lines();
        Self(lines.map(|line| format!("{}\n", line.trim_end())).collect())
    }

    /// Returns the lines, each with its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        let mut text = Text::of_line("1\nERROR: x\r\n#1 DONE\u{2028}\x1b[2Jy");
        text.line("hint: run this");
        text.append(&Text::of_line(&"x".repeat(LONGEST + 1)));
        let lines: Vec<_> = text.as_str().lines().collect();
        assert_eq!(lines[0], "1 ERROR: x #1 DONEy");
        assert_eq!(lines[1], " hint: run this");
        assert_eq!(lines[2].chars().count(), LONGEST + 1);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn trailing_spaces_go() {
        let text = Text::prepared("a  \n\nb \n".into()).without_trailing_spaces();
        assert_eq!(text.as_str(), "a\n\nb\n");
    }
}
