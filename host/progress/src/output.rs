//! Where progress is printed, and the clock that it is printed by.

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// The size that is assumed for a terminal that does not know its own. buildx assumes the same.
impl Default for Size {
    fn default() -> Self {
        Self {
            width: 80,
            height: 10,
        }
    }
}

/// A line of a [`Frame`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Text without control characters, except for sequences that set a colour. All of them end with
    /// the line.
    pub text: String,
    /// Number of columns of the text.
    pub width: usize,
}

/// Lines that are shown together, and replaced by the next frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The lines, from top to bottom.
    pub lines: Vec<Line>,
}

/// The output of a [`Printer`](crate::Printer). Every writer is one that is not a terminal.
pub trait Output {
    /// Writes text. It may end within a line; the next text continues that line.
    ///
    /// # Errors
    ///
    /// Returns the error of the stream.
    fn append(&mut self, text: &str) -> io::Result<()>;

    /// Returns the size of the terminal, or `None` if the output is not a terminal.
    fn size(&self) -> Option<Size> {
        None
    }

    /// Shows a frame in place of the one before.
    ///
    /// # Errors
    ///
    /// Returns the error of the stream.
    fn show(&mut self, _: Frame) -> io::Result<()> {
        Ok(())
    }

    /// Leaves the frame where it is. What follows stands below it.
    fn leave(&mut self) {}
}

impl<W: Write> Output for W {
    fn append(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())?;
        self.flush()
    }
}

/// A clock that returns the time since some fixed moment. It never goes back.
pub struct Clock(Box<dyn FnMut() -> Duration + Send>);

impl Clock {
    /// Returns the system's clock.
    pub fn system() -> Self {
        let start = Instant::now();
        Self::new(move || start.elapsed())
    }

    /// Returns a clock that calls `now`.
    pub fn new(now: impl FnMut() -> Duration + Send + 'static) -> Self {
        Self(Box::new(now))
    }

    pub(crate) fn now(&mut self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}
