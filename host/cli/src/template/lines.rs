//! The output of a template.

use std::fmt;

use iechor_text::unmarked;

/// Begins and ends a value in the output. Neither the text of a template nor a value has it.
pub const MARK: char = '\0';

/// Maximum length of the output, in bytes.
const MOST: usize = 16 << 20;

/// Lines that are being put together.
#[derive(Default)]
pub struct Lines {
    ended: String,
    current: String,
    /// The current line begins with a value.
    is_foreign: bool,
    /// What is written next belongs to a value.
    in_value: bool,
}

impl Lines {
    /// Ends the last line, and returns all of them. A line that begins with a value does not begin
    /// as the program's own lines do.
    pub fn finish(mut self) -> String {
        self.end_line();
        self.ended
    }

    fn push(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.is_foreign |= self.in_value && self.current.is_empty();
            self.current += piece.trim_end_matches('\n');
            if piece.ends_with('\n') {
                self.end_line();
            }
        }
        // An empty value at the start of a line counts as well.
        self.is_foreign |= self.in_value && self.current.is_empty();
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.current);
        if std::mem::take(&mut self.is_foreign) {
            self.ended += &unmarked(&line);
        } else {
            self.ended += &line;
        }
        self.ended.push('\n');
    }
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.ended.len() + self.current.len() + text.len() > MOST {
            return Err(fmt::Error);
        }
        for (number, part) in text.split(MARK).enumerate() {
            self.in_value ^= number > 0;
            self.push(part);
        }
        Ok(())
    }
}
