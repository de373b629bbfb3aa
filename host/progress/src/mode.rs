//! The formats of progress, and the choice between them.

use std::fmt;
use std::str::FromStr;

/// A format of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// [`Mode::Tty`] on a terminal that can move its cursor, otherwise [`Mode::Plain`].
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
    /// Lines that are rewritten in place, on a terminal.
    Tty,
}

/// The names of the modes, as errors and help texts list them.
pub(crate) const MODES: [(&str, Mode); 6] = [
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
    /// [`Mode::Tty`] was requested, but the output is not a terminal.
    // The text of docker buildx.
    #[error("failed to get console: provided file is not a console")]
    NotATerminal,
}

impl Mode {
    /// Returns the names of all modes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MODES.iter().map(|(name, _)| *name)
    }

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
