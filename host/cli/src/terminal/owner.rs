//! The state of the terminal, and the only code that writes to a standard stream.
//!
//! One lock covers both streams, so a line of one source is never cut by another source. What stands
//! at the cursor is the *foot*: a line of progress that has not ended, a line that is redrawn, a frame of
//! several such lines (`screen`), or an open question. The owner clears the foot before it writes anything
//! else, and restores it afterwards.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use iechor_progress::{Frame, Size};
use iechor_text::displayable;

use super::screen::{Narrowing, Screen};

/// Moves the cursor to the start of its line and erases the line. This sequence and those of `screen` are
/// the only ones that the program writes which move the cursor.
const ERASE_LINE: &str = "\r\x1b[K";

/// Indents the rest of a line of progress that another message cut.
const INDENT: &str = "  ";

/// Maximum size of an unfinished line of progress that waits behind a question, in bytes.
const MOST_HELD: usize = 64 << 10;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: results.
    Output,
    /// Standard error: everything else.
    Error,
}

/// What stands at the cursor.
#[derive(Debug, PartialEq, Eq)]
enum Foot {
    /// Nothing: the cursor is at the start of a line.
    Empty,
    /// A line of progress that has not ended.
    OpenLine,
    /// A line that the next one replaces.
    Transient(String),
    /// Lines that the next ones replace.
    Screen(Screen),
    /// A question that has not been answered.
    Question(String),
}

/// The owner of both streams.
pub struct Owner<O, E> {
    output: O,
    error: E,
    /// Results appear where messages do.
    is_shared: bool,
    foot: Foot,
    /// Another message cut the line of progress that is written next.
    is_cut: bool,
    /// An unfinished line of progress that waits until the foot is free.
    held: String,
    /// The newest frame, which waits until the foot is free.
    covered: Option<Frame>,
    /// Frames are no longer shown, because the program ends.
    is_closed: bool,
    terminal: Terminal,
}

/// The terminal that messages appear at.
struct Terminal {
    size: fn() -> Size,
    narrowing: Narrowing,
}

/// The owner of the standard streams of this process.
pub type Standard = Owner<io::Stdout, io::Stderr>;

#[expect(clippy::disallowed_methods, reason = "this is the owner")]
static OWNER: LazyLock<Mutex<Standard>> = LazyLock::new(|| {
    let (output, error) = (io::stdout(), io::stderr());
    let is_shared = output.is_terminal() && error.is_terminal();
    let mut owner = Owner::new(output, error, is_shared);
    owner.terminal = Terminal {
        size: || size().unwrap_or_default(),
        narrowing: Narrowing::from_environment(|name| std::env::var(name).ok()),
    };
    Mutex::new(owner)
});

/// Returns the size of the terminal that messages go to, or `None` if they go elsewhere.
#[expect(clippy::disallowed_methods, reason = "this is the owner")]
pub fn size() -> Option<Size> {
    let error = io::stderr();
    if !error.is_terminal() {
        return None;
    }
    let known = rustix::termios::tcgetwinsize(&error).ok();
    let known = known.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    Some(known.map_or_else(Size::default, |size| Size {
        width: size.ws_col.into(),
        height: size.ws_row.into(),
    }))
}

/// Returns the width of the terminal that results go to, in columns, or `None` if they go elsewhere.
#[expect(clippy::disallowed_methods, reason = "this is the owner")]
pub fn output_width() -> Option<usize> {
    let output = io::stdout();
    if !output.is_terminal() {
        return None;
    }
    let known = rustix::termios::tcgetwinsize(&output).ok();
    let known = known.filter(|size| size.ws_col > 0);
    Some(known.map_or_else(|| Size::default().width, |size| size.ws_col.into()))
}

/// Returns the owner of the standard streams. Do not hold it across an `await`.
pub fn lock() -> MutexGuard<'static, Standard> {
    OWNER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the owner of the standard streams, or `None` if it is in use for longer than `most`: by a
/// thread that panicked while it wrote, or because nobody reads from the stream.
pub fn lock_within(most: Duration) -> Option<MutexGuard<'static, Standard>> {
    const STEP: Duration = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        match OWNER.try_lock() {
            Ok(owner) => return Some(owner),
            Err(TryLockError::Poisoned(owner)) => return Some(owner.into_inner()),
            Err(TryLockError::WouldBlock) if waited >= most => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(STEP),
        }
        waited += STEP;
    }
}

impl<O: Write, E: Write> Owner<O, E> {
    /// Returns an owner of two streams; `is_shared` says that both show up at the same terminal.
    pub fn new(output: O, error: E, is_shared: bool) -> Self {
        Self {
            output,
            error,
            is_shared,
            foot: Foot::Empty,
            is_cut: false,
            held: String::new(),
            covered: None,
            is_closed: false,
            terminal: Terminal {
                size: Size::default,
                narrowing: Narrowing::Wraps,
            },
        }
    }

    /// Writes whole lines.
    pub fn lines(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        self.whole(stream, text, false)
    }

    /// Writes whole lines, whose colours stay.
    pub fn coloured_lines(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        self.whole(stream, text, true)
    }

    fn whole(&mut self, stream: Stream, text: &str, colours: bool) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let moves = stream == Stream::Error || self.is_shared;
        if moves {
            self.clear_foot();
        }
        let mut written = self.put(stream, text, colours);
        if !text.ends_with('\n') {
            written = written.and_then(|()| self.put(stream, "\n", false));
        }
        if moves {
            self.restore_foot();
        }
        written
    }

    /// Writes progress, whose colours stay. It may end within a line; the next progress continues
    /// that line.
    pub fn progress(&mut self, text: &str) -> io::Result<()> {
        let mut text = std::mem::take(&mut self.held) + text;
        if text.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.is_cut) {
            text = match text.strip_prefix('\n') {
                Some(rest) => rest.to_owned(),
                None => format!("{INDENT}{text}"),
            };
        }
        if matches!(self.foot, Foot::Empty | Foot::OpenLine) {
            self.foot = match text.ends_with('\n') || text.is_empty() {
                true => Foot::Empty,
                false => Foot::OpenLine,
            };
            return self.put(Stream::Error, &text, true);
        }
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.held = text.split_off(whole);
        if self.held.len() > MOST_HELD {
            text += &std::mem::take(&mut self.held);
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.clear_foot();
        let written = self.put(Stream::Error, &text, true);
        self.restore_foot();
        written
    }

    /// Ends the line of progress that has not ended.
    pub fn end_progress(&mut self) {
        if self.foot == Foot::OpenLine {
            self.clear_foot();
        }
        self.is_cut = false;
    }

    /// Shows a frame in place of the one before. For terminals only.
    pub fn frame(&mut self, frame: Frame) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let width = self.width();
        let mut text = String::new();
        match &self.foot {
            Foot::Question(_) | Foot::Transient(_) => {
                self.covered = Some(frame);
                return Ok(());
            }
            Foot::Screen(screen) if screen.shows(&frame, width) => return Ok(()),
            Foot::Screen(screen) => text = screen.rewind(width, self.terminal.narrowing),
            Foot::OpenLine => self.clear_foot(),
            Foot::Empty => {}
        }
        let screen = Screen::new(frame, width);
        text += &screen.draw();
        self.foot = Foot::Screen(screen);
        self.raw(&text)
    }

    /// Leaves the frame where it is, and writes below it from now on.
    pub fn leave_frame(&mut self) {
        if let Some(frame) = self.covered.take() {
            // It belongs above what covers it.
            self.clear_foot();
            let text = Screen::new(frame, self.width()).draw();
            let _ = self.raw(&text);
            self.restore_foot();
        }
        if matches!(self.foot, Foot::Screen(_)) {
            self.foot = Foot::Empty;
        }
    }

    /// Permits frames, or leaves the last one where it is and permits no other.
    pub fn permit_frames(&mut self, are_permitted: bool) {
        self.is_closed = !are_permitted;
        if self.is_closed {
            self.leave_frame();
        }
    }

    /// Keeps the frame at the foot for later.
    fn cover(&mut self) {
        if matches!(self.foot, Foot::Screen(_)) {
            self.clear_foot();
            if let Foot::Screen(screen) = std::mem::replace(&mut self.foot, Foot::Empty) {
                self.covered = Some(screen.into_frame());
            }
        }
    }

    fn width(&self) -> usize {
        (self.terminal.size)().width
    }

    /// Shows a line that the next one replaces. For terminals only.
    pub fn transient(&mut self, line: String) {
        // A question stays until it is answered.
        if matches!(self.foot, Foot::Question(_)) {
            return;
        }
        self.cover();
        self.clear_foot();
        self.foot = Foot::Transient(line);
        self.restore_foot();
    }

    /// Erases the line that [`Self::transient`] shows.
    pub fn end_transient(&mut self) {
        if matches!(self.foot, Foot::Transient(_)) {
            self.clear_foot();
            self.foot = Foot::Empty;
            self.release();
        }
    }

    /// Shows a question and leaves the cursor behind it.
    pub fn ask(&mut self, question: String) {
        self.cover();
        self.clear_foot();
        self.foot = Foot::Question(question);
        self.restore_foot();
    }

    /// Returns whether a question is open.
    pub fn is_asking(&self) -> bool {
        matches!(self.foot, Foot::Question(_))
    }

    /// Notes that the question is no longer open. If the user did not end its line by pressing
    /// Enter, `ends_line` does.
    pub fn answered(&mut self, ends_line: bool) {
        if ends_line {
            self.clear_foot();
        }
        self.foot = Foot::Empty;
        self.release();
    }

    /// Writes the progress that waited for the foot.
    fn release(&mut self) {
        if !self.held.is_empty() {
            // There is nobody to report the failure to.
            let _ = self.progress("");
        }
        if let Some(frame) = self.covered.take() {
            let _ = self.frame(frame);
        }
    }

    /// Leaves the cursor at the start of a line on which nothing stands.
    fn clear_foot(&mut self) {
        let _ = match &self.foot {
            Foot::Empty => Ok(()),
            Foot::OpenLine => {
                self.foot = Foot::Empty;
                self.is_cut = true;
                self.put(Stream::Error, "\n", false)
            }
            Foot::Transient(_) => self.raw(ERASE_LINE),
            Foot::Screen(screen) => {
                let erase = screen.erase(self.width(), self.terminal.narrowing);
                self.raw(&erase)
            }
            Foot::Question(_) => self.put(Stream::Error, "\n", false),
        };
    }

    /// Shows the foot again.
    fn restore_foot(&mut self) {
        if let Foot::Screen(screen) = &self.foot {
            if screen.fits(self.width()) {
                let text = screen.draw();
                let _ = self.raw(&text);
            } else {
                // The next frame is made for the new size.
                self.foot = Foot::Empty;
            }
        }
        if let Foot::Transient(text) | Foot::Question(text) = &self.foot {
            let text = text.clone();
            let _ = self.put(Stream::Error, &text, false);
        }
    }

    /// Writes text without anything that could control a terminal. All text passes here, except for frames.
    fn put(&mut self, stream: Stream, text: &str, colours: bool) -> io::Result<()> {
        let text = displayable(text, colours);
        let write = |to: &mut dyn Write| to.write_all(text.as_bytes()).and_then(|()| to.flush());
        match stream {
            Stream::Output => write(&mut self.output),
            Stream::Error => write(&mut self.error),
        }
    }

    /// Writes a sequence of the program itself, or a frame, whose texts are checked in `screen`.
    fn raw(&mut self, sequence: &str) -> io::Result<()> {
        self.error.write_all(sequence.as_bytes())?;
        self.error.flush()
    }
}

#[cfg(test)]
impl<O: Write, E: Write> Owner<O, E> {
    /// Describes the terminal.
    pub fn set_terminal(&mut self, size: fn() -> Size, narrowing: Narrowing) {
        self.terminal = Terminal { size, narrowing };
    }

    /// Returns the stream of messages.
    pub fn error(&self) -> &E {
        &self.error
    }

    /// Returns the stream of messages.
    pub fn error_mut(&mut self) -> &mut E {
        &mut self.error
    }
}

#[cfg(test)]
mod tests;
