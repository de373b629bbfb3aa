//! The printer: it takes statuses, and prints them in a format.

use std::io;
use std::time::Duration;

use iechor_buildkit::status::SolveStatus;
use iechor_text::clean_line;

use crate::mode::{Mode, ModeError};
use crate::options::{DESCRIPTION, Options, REFRESH, TICK};
use crate::output::{Clock, Output};
use crate::plain::{self, Plain};
use crate::rawjson;
use crate::trace::Trace;
use crate::tty::Tty;
use crate::warnings::Warnings;

#[derive(Debug)]
enum Display {
    Plain(Box<(Trace, Plain)>),
    Tty(Box<Tty>),
    RawJson,
    Nothing,
}

/// A printer of progress on an output.
///
/// If the other end of the output is gone (a broken pipe), the printer stops printing and the build
/// continues. Any other error of the output is returned, and the text that could not be written is
/// lost.
#[derive(Debug)]
pub struct Printer<O: Output> {
    display: Display,
    /// `None` once the other end is gone.
    output: Option<O>,
    clock: Clock,
    refresh: Option<Duration>,
    last_print: Option<Duration>,
    warnings: Warnings,
    finished: bool,
}

impl<O: Output> Printer<O> {
    /// Creates a printer that has printed nothing yet.
    ///
    /// # Errors
    ///
    /// [`ModeError::NotATerminal`] for [`Mode::Tty`] if the output is not a terminal.
    pub fn new(mode: Mode, output: O, options: Options, clock: Clock) -> Result<Self, ModeError> {
        let is_terminal = output.size().is_some();
        let mode = match mode {
            Mode::Auto if is_terminal && !options.is_dumb => Mode::Tty,
            Mode::Auto => Mode::Plain,
            Mode::Tty if !is_terminal => return Err(ModeError::NotATerminal),
            mode => mode,
        };
        let refresh = options.refresh;
        let display = match mode {
            Mode::Auto | Mode::Plain => {
                let description = options.description.as_deref();
                let description = description.map(|text| clean_line(text, DESCRIPTION));
                let plain = Plain::new(description, options.cut_names);
                Display::Plain(Box::new((Trace::default(), plain)))
            }
            Mode::Tty => Display::Tty(Box::new(Tty::new(options))),
            Mode::RawJson => Display::RawJson,
            Mode::Quiet | Mode::None => Display::Nothing,
        };
        Ok(Self {
            display,
            output: Some(output),
            clock,
            refresh,
            last_print: None,
            warnings: Warnings::default(),
            finished: false,
        })
    }

    /// Returns the time without a status after which to call [`Self::tick`].
    pub fn tick_interval(&self) -> Duration {
        self.refresh
            .filter(|refresh| !refresh.is_zero())
            .unwrap_or(TICK)
    }

    /// Returns whether the format is that of a terminal.
    pub fn is_tty(&self) -> bool {
        matches!(self.display, Display::Tty(_))
    }

    /// Adds a status. Prints, unless the last print was a moment ago.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn update(&mut self, status: &SolveStatus) -> io::Result<()> {
        for warning in &status.warnings {
            self.warnings.add(warning);
        }
        let now = self.clock.now();
        let mut is_full = false;
        match &mut self.display {
            Display::Plain(both) => {
                let (trace, plain) = &mut **both;
                trace.update(status, now);
                is_full = trace.is_full();
                let mut overdue = String::new();
                plain.print_overdue(trace, &mut overdue);
                self.write(&overdue)?;
            }
            Display::Tty(tty) => {
                let size = self.output.as_ref().and_then(Output::size);
                tty.update(status, size.unwrap_or_default(), now);
            }
            Display::RawJson => return self.write(&rawjson::line(status)?),
            Display::Nothing => return Ok(()),
        }
        let refresh = self.refresh.unwrap_or(REFRESH);
        let is_due = |last: Duration| now.saturating_sub(last) >= refresh;
        if !is_full && !self.last_print.is_none_or(is_due) {
            return Ok(());
        }
        self.last_print = Some(now);
        self.print(now, false)
    }

    /// Prints everything that was held back. Call this if nothing has arrived for
    /// [`Self::tick_interval`].
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn tick(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        self.print(now, false)
    }

    /// Prints the rest, and the last lines of the vertexes that failed. Further calls print
    /// nothing.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        let now = self.clock.now();
        self.print(now, true)?;
        let mut text = String::new();
        match &mut self.display {
            Display::Plain(both) => {
                let (trace, plain) = &mut **both;
                plain.end_line(trace, &mut text);
                plain::print_errors(trace, &mut text);
            }
            Display::Tty(tty) => {
                if let Some(output) = &mut self.output {
                    output.leave();
                }
                tty.print_errors(&mut text);
            }
            Display::RawJson | Display::Nothing => {}
        }
        self.write(&text)
    }

    /// Returns the warnings so far, in every mode.
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// Returns the printer's warnings, and drops the rest.
    pub fn into_warnings(self) -> Warnings {
        self.warnings
    }

    /// Prints what is new. `is_last` says that nothing follows.
    fn print(&mut self, now: Duration, is_last: bool) -> io::Result<()> {
        match &mut self.display {
            Display::Plain(both) => {
                let (trace, plain) = &mut **both;
                let mut text = String::new();
                plain.print(trace, now, &mut text);
                self.write(&text)
            }
            Display::Tty(tty) => {
                let Some(output) = &mut self.output else {
                    return Ok(());
                };
                let size = output.size().unwrap_or_default();
                let frame = tty.frame(size, now, is_last);
                if frame.lines.is_empty() {
                    return Ok(());
                }
                let shown = output.show(frame);
                self.unless_gone(shown)
            }
            Display::RawJson | Display::Nothing => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let Some(output) = self.output.as_mut().filter(|_| !text.is_empty()) else {
            return Ok(());
        };
        let written = output.append(text);
        self.unless_gone(written)
    }

    /// Returns the result of the output, unless its other end is gone. Then nothing is printed any more.
    fn unless_gone(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.output = None;
                Ok(())
            }
            other => other,
        }
    }
}
