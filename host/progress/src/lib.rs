//! Renders a stream of solve status: plain, quiet, rawjson.
//!
//! A [`Printer`] takes each [`SolveStatus`] when it arrives, and writes everything that is due. It
//! starts no thread and reads no environment: its owner calls [`Printer::tick`] whenever nothing
//! has arrived for [`TICK`], and [`Printer::finish`] at the end.
//!
//! [`vertex`] reports work that this program does itself (boot, load, push) in the same model.
//!
//! ```
//! use iechor_buildkit::status::{SolveStatus, Vertex};
//! use iechor_progress::{Clock, Mode, Options, Printer};
//! use std::time::{Duration, SystemTime};
//!
//! let options = Options {
//!     description: Some(iechor_progress::description("b", "docker-container")),
//!     ..Options::default()
//! };
//! let mut text = Vec::new();
//! let mut printer = Printer::new(Mode::Plain, &mut text, options, Clock::system())?;
//! let start = SystemTime::UNIX_EPOCH;
//! printer.update(&SolveStatus {
//!     vertexes: vec![Vertex {
//!         digest: "sha256:1".into(),
//!         name: "[1/1] RUN make".into(),
//!         started: Some(start),
//!         completed: Some(start + Duration::from_millis(1500)),
//!         ..Vertex::default()
//!     }],
//!     ..SolveStatus::default()
//! })?;
//! printer.finish()?;
//! drop(printer);
//! assert_eq!(
//!     String::from_utf8(text)?,
//!     "#0 building with \"b\" instance using docker-container driver\n\n\
//!      #1 [1/1] RUN make\n#1 DONE 1.5s\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod plain;
mod trace;
mod units;
pub mod vertex;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::time::{Duration, Instant};

use iechor_buildkit::status::SolveStatus;
use iechor_text::clean_line;

use plain::Plain;
use trace::Trace;

/// Time without a status after which to call [`Printer::tick`].
pub const TICK: Duration = Duration::from_millis(150);

/// Minimum time between two prints. Everything that arrives meanwhile is printed together.
pub const REFRESH: Duration = Duration::from_millis(100);

/// Maximum length of the first line of the plain format, in characters. It names a builder and a
/// driver.
const DESCRIPTION: usize = 1000;

/// A format of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The best format that the output supports: plain at present.
    #[default]
    Auto,
    /// Lines of text that are never rewritten.
    Plain,
    /// No output. The caller prints the image's ID at the end.
    Quiet,
    /// One line of JSON for each status.
    RawJson,
    /// No output.
    None,
    /// Lines that are rewritten in place. Not implemented yet.
    Tty,
}

/// The names of the modes, as errors and help texts list them.
const MODES: [(&str, Mode); 6] = [
    ("auto", Mode::Auto),
    ("none", Mode::None),
    ("plain", Mode::Plain),
    ("quiet", Mode::Quiet),
    ("rawjson", Mode::RawJson),
    ("tty", Mode::Tty),
];

/// The error of a mode that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModeError {
    /// There is no such mode.
    #[error(
        "invalid progress mode {given}: choose one of auto, none, plain, quiet, rawjson and tty"
    )]
    Unknown {
        /// The requested mode.
        given: String,
    },
    /// The mode exists but cannot be used here.
    #[error("progress mode tty is not available yet: choose plain or auto")]
    TtyUnavailable,
}

impl Mode {
    /// Returns the mode to use: that of `--progress`, or if that is `auto`, that of
    /// `BUILDKIT_PROGRESS` (an empty value counts as not set).
    pub fn resolve(flag: Mode, environment: Option<&str>) -> Result<Mode, ModeError> {
        match environment {
            Some(text) if flag == Mode::Auto && !text.is_empty() => text.parse(),
            _ => Ok(flag),
        }
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    /// Parses the value of `--progress`. An empty value is `auto`.
    fn from_str(text: &str) -> Result<Self, ModeError> {
        if text.is_empty() {
            return Ok(Self::Auto);
        }
        MODES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, mode)| *mode)
            .ok_or_else(|| ModeError::Unknown {
                given: text.to_owned(),
            })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = MODES.iter().find(|(_, mode)| mode == self);
        formatter.pad(name.map_or("auto", |(name, _)| name))
    }
}

/// The options of a [`Printer`] in addition to the mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// First line of the plain format, see [`description`].
    pub description: Option<String>,
    /// Whether to cut the names of vertexes at 72 bytes. buildx does so for `PROGRESS_NO_TRUNC=0`.
    pub cut_names: bool,
    /// Minimum time between two prints; `None` for [`REFRESH`]. buildx reads `TTY_DISPLAY_RATE`, in
    /// milliseconds.
    pub refresh: Option<Duration>,
}

impl Options {
    /// Returns the options from the environment variables that buildx reads; `variable` looks one
    /// up.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let refresh = variable("TTY_DISPLAY_RATE").and_then(|text| text.parse().ok());
        Self {
            description: None,
            cut_names: variable("PROGRESS_NO_TRUNC").as_deref() == Some("0"),
            refresh: refresh.map(Duration::from_millis),
        }
    }
}

/// Returns the first line of a build, which names the builder.
pub fn description(builder: &str, driver: &str) -> String {
    let driver = clean_line(driver, DESCRIPTION);
    format!("building with {builder:?} instance using {driver} driver")
}

/// Adds the name of a target to the names of its vertexes, for builds of several targets at once:
/// `[internal] x` becomes `[target internal] x`, any other `x` becomes `[target] x`.
pub fn prefix(status: &mut SolveStatus, target: &str) {
    for vertex in &mut status.vertexes {
        vertex.name = prefixed(&vertex.name, target);
        if let Some(group) = &mut vertex.progress_group {
            group.name = prefixed(&group.name, target);
        }
    }
}

fn prefixed(name: &str, target: &str) -> String {
    match name.strip_prefix('[') {
        Some(rest) => format!("[{target} {rest}"),
        None => format!("[{target}] {name}"),
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
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

#[derive(Debug)]
enum Display {
    Plain(Box<(Trace, Plain)>),
    RawJson,
    Nothing,
}

/// A printer of progress on a writer.
///
/// If the other end of the writer is gone (a broken pipe), the printer stops printing and the build
/// continues. Any other error of the writer is returned, and the text that could not be written is
/// lost.
#[derive(Debug)]
pub struct Printer<W: Write> {
    display: Display,
    /// `None` once the other end is gone.
    writer: Option<W>,
    clock: Clock,
    refresh: Duration,
    last_print: Option<Duration>,
    warnings: usize,
    finished: bool,
}

impl<W: Write> Printer<W> {
    /// Creates a printer that has printed nothing yet.
    pub fn new(mode: Mode, writer: W, options: Options, clock: Clock) -> Result<Self, ModeError> {
        let display = match mode {
            Mode::Auto | Mode::Plain => {
                let description = options.description.as_deref();
                let description = description.map(|text| clean_line(text, DESCRIPTION));
                let plain = Plain::new(description, options.cut_names);
                Display::Plain(Box::new((Trace::default(), plain)))
            }
            Mode::RawJson => Display::RawJson,
            Mode::Quiet | Mode::None => Display::Nothing,
            Mode::Tty => return Err(ModeError::TtyUnavailable),
        };
        Ok(Self {
            display,
            writer: Some(writer),
            clock,
            refresh: options.refresh.unwrap_or(REFRESH),
            last_print: None,
            warnings: 0,
            finished: false,
        })
    }

    /// Adds a status. Prints, unless the last print was a moment ago.
    pub fn update(&mut self, status: &SolveStatus) -> io::Result<()> {
        self.warnings = self.warnings.saturating_add(status.warnings.len());
        let now = (self.clock.0)();
        match &mut self.display {
            Display::Plain(plain) => {
                let (trace, plain) = &mut **plain;
                trace.update(status, now);
                let mut overdue = String::new();
                plain.print_overdue(trace, &mut overdue);
                let due = trace.is_full()
                    || self
                        .last_print
                        .is_none_or(|last| now.saturating_sub(last) >= self.refresh);
                self.write(overdue.as_bytes())?;
                if !due {
                    return Ok(());
                }
                self.last_print = Some(now);
                self.print(now)
            }
            Display::RawJson => {
                let line = serde_json::to_string(status)? + "\n";
                self.write(iechor_text::json(&line).as_bytes())
            }
            Display::Nothing => Ok(()),
        }
    }

    /// Prints everything that was held back. Call this if nothing has arrived for [`TICK`].
    pub fn tick(&mut self) -> io::Result<()> {
        let now = (self.clock.0)();
        self.print(now)
    }

    /// Prints the rest, and the last lines of the vertexes that failed. Further calls print
    /// nothing.
    pub fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.tick()?;
        let mut text = String::new();
        if let Display::Plain(both) = &mut self.display {
            let (trace, plain) = &mut **both;
            plain.end_line(trace, &mut text);
            plain::print_errors(trace, &mut text);
        }
        self.write(text.as_bytes())
    }

    /// Returns the number of warnings so far, in every mode.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    fn print(&mut self, now: Duration) -> io::Result<()> {
        let mut text = String::new();
        if let Display::Plain(both) = &mut self.display {
            let (trace, plain) = &mut **both;
            plain.print(trace, now, &mut text);
        }
        self.write(text.as_bytes())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(writer) = self.writer.as_mut().filter(|_| !data.is_empty()) else {
            return Ok(());
        };
        match writer.write_all(data).and_then(|()| writer.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.writer = None;
                Ok(())
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests;
