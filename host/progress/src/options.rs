//! The settings of a printer in addition to its mode.

use std::time::Duration;

use iechor_text::clean_line;

use crate::colours::{ColourError, Palette};

/// Time without a status after which to call [`Printer::tick`](crate::Printer::tick), unless the
/// options set another one.
pub const TICK: Duration = Duration::from_millis(150);

/// Minimum time between two prints. Everything that arrives meanwhile is printed together.
pub const REFRESH: Duration = Duration::from_millis(100);

/// Maximum length of the texts that name a builder and a driver, in characters.
pub(crate) const DESCRIPTION: usize = 1000;

/// The options of a [`Printer`](crate::Printer) in addition to the mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// First line of the plain format, see [`description`].
    pub description: Option<String>,
    /// Text at the right of the first line of the tty format, see [`label`].
    pub label: Option<String>,
    /// Word in the first line of the tty format; `None` for `Building`.
    pub phase: Option<String>,
    /// Whether to cut the names of vertexes at 72 bytes in the plain format. buildx does so for
    /// `PROGRESS_NO_TRUNC=0`.
    pub cut_names: bool,
    /// Time between two prints; `None` for [`REFRESH`], and [`TICK`] if nothing arrives. buildx reads
    /// `TTY_DISPLAY_RATE`, in milliseconds.
    pub refresh: Option<Duration>,
    /// Number of lines of a log window of the tty format; `None` for 6, which is also the minimum.
    /// buildx reads `BUILDKIT_TTY_LOG_LINES`.
    pub log_lines: Option<usize>,
    /// Colours of the tty format. buildx reads `NO_COLOR` and `BUILDKIT_COLORS`.
    pub palette: Palette,
    /// Parts of `BUILDKIT_COLORS` that are ignored.
    pub colour_errors: Vec<ColourError>,
    /// Whether the terminal cannot move its cursor (`TERM=dumb`).
    pub is_dumb: bool,
}

impl Options {
    /// Returns the options from the environment variables that buildx reads; `variable` looks one
    /// up.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| variable(name).and_then(|text| text.parse().ok());
        let (palette, colour_errors) = Palette::from_environment(&variable);
        Self {
            cut_names: variable("PROGRESS_NO_TRUNC").as_deref() == Some("0"),
            refresh: number("TTY_DISPLAY_RATE").map(Duration::from_millis),
            log_lines: number("BUILDKIT_TTY_LOG_LINES")
                .and_then(|lines| usize::try_from(lines).ok())
                .filter(|lines| *lines > 0),
            palette,
            colour_errors,
            is_dumb: variable("TERM").as_deref() == Some("dumb"),
            ..Self::default()
        }
    }
}

/// Returns the first line of a build, which names the builder.
pub fn description(builder: &str, driver: &str) -> String {
    let driver = clean_line(driver, DESCRIPTION);
    format!("building with {builder:?} instance using {driver} driver")
}

/// Returns the text that names the builder on a terminal.
pub fn label(builder: &str, driver: &str) -> String {
    clean_line(&format!("{driver}:{builder}"), DESCRIPTION)
}
