//! Lines at the bottom of the terminal that are redrawn together.

use iechor_progress::Frame;
use iechor_text::displayable;

/// Hides the cursor while a frame is drawn.
const HIDE: &str = "\x1b[?25l";

/// Shows the cursor again. Every text that hides it ends with this, so the program may end at any time.
const SHOW: &str = "\x1b[?25h";

/// Erases the rest of the line.
const ERASE_LINE: &str = "\x1b[K";

/// Erases everything below the cursor.
const ERASE_BELOW: &str = "\x1b[J";

/// What a terminal does when its width changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrowing {
    /// Lines that are now too long continue on the next row.
    Wraps,
    /// Lines that are now too long are cut.
    Cuts,
}

impl Narrowing {
    /// Returns what the terminal does that the environment names; `variable` looks a variable up.
    ///
    /// Only xterm, the console, `screen` and old terminals cut lines.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let is_old = ["linux", "vt", "screen", "rxvt"]
            .iter()
            .any(|old| term.starts_with(old));
        let is_multiplexed = variable("TMUX").is_some_and(|value| !value.is_empty());
        let is_xterm = variable("XTERM_VERSION").is_some();
        if !is_multiplexed && (is_old || is_xterm) {
            Self::Cuts
        } else {
            Self::Wraps
        }
    }
}

/// A frame that is on the terminal. The cursor is on the line below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Screen {
    frame: Frame,
    /// Columns of the terminal when the frame was drawn.
    width: usize,
}

impl Screen {
    /// Returns a frame that is to be drawn on a terminal with so many columns.
    pub fn new(frame: Frame, width: usize) -> Self {
        Self { frame, width }
    }

    /// Returns whether drawing another frame would change nothing.
    pub fn shows(&self, frame: &Frame, width: usize) -> bool {
        self.frame == *frame && self.width == width
    }

    /// Returns whether the lines fit on a terminal with so many columns.
    pub fn fits(&self, width: usize) -> bool {
        width >= self.width
    }

    /// Returns the frame.
    pub fn into_frame(self) -> Frame {
        self.frame
    }

    /// Returns the text that draws the frame, from the beginning of its first line on.
    pub fn draw(&self) -> String {
        let mut text = String::from(HIDE);
        for line in &self.frame.lines {
            text += &displayable(&line.text, true).replace('\n', "");
            text += ERASE_LINE;
            text += "\r\n";
        }
        text + ERASE_BELOW + SHOW
    }

    /// Returns the text that moves the cursor to the beginning of the first line, on a terminal that now has
    /// `width` columns.
    pub fn rewind(&self, width: usize, narrowing: Narrowing) -> String {
        let wraps = narrowing == Narrowing::Wraps && width < self.width;
        let rows = self.frame.lines.iter().map(|line| match wraps {
            true => line.width.div_ceil(width.max(1)).max(1),
            false => 1,
        });
        match rows.sum::<usize>() {
            0 => "\r".to_owned(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }

    /// Returns the text that removes the frame.
    pub fn erase(&self, width: usize, narrowing: Narrowing) -> String {
        self.rewind(width, narrowing) + ERASE_BELOW
    }
}

#[cfg(test)]
mod tests;
