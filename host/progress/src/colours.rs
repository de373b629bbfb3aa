//! The colours of the tty format, and `BUILDKIT_COLORS`, which sets them.
//!
//! The grammar and the texts of its faults are those of BuildKit's display
//! (`util/progress/progressui/colors.go`): `run=cyan:error=yellow:cancel=123,20,245`.

use iechor_values::csv::{self, CsvError};

/// The names of colours, and their numbers in a sequence that sets a colour (SGR).
const NAMES: [(&str, u8); 17] = [
    ("default", 39),
    ("black", 30),
    ("red", 31),
    ("green", 32),
    ("yellow", 33),
    ("blue", 34),
    ("magenta", 35),
    ("cyan", 36),
    ("white", 37),
    ("light-black", 90),
    ("light-red", 91),
    ("light-green", 92),
    ("light-yellow", 93),
    ("light-blue", 94),
    ("light-magenta", 95),
    ("light-cyan", 96),
    ("light-white", 97),
];

/// A colour of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// A colour by its number in a sequence that sets it.
    Named(u8),
    /// A colour of the palette of 256.
    Indexed(u8),
}

impl Colour {
    fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, number)| Self::Named(*number))
    }

    fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self::Indexed(16 + 36 * (red / 43) + 6 * (green / 43) + blue / 43)
    }

    /// Returns the sequence that sets the colour.
    pub(crate) fn sequence(self) -> String {
        match self {
            Self::Named(number) => format!("\x1b[{number}m"),
            Self::Indexed(number) => format!("\x1b[38;5;{number}m"),
        }
    }
}

/// The colours of the lines of the tty format; `None` for the colour of the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// Colour of work that succeeded.
    pub run: Option<Colour>,
    /// Colour of work that was cancelled.
    pub cancel: Option<Colour>,
    /// Colour of warnings.
    pub warning: Option<Colour>,
    /// Colour of work that failed.
    pub error: Option<Colour>,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            run: Some(Colour::Named(34)),
            cancel: Some(Colour::Named(33)),
            warning: Some(Colour::Named(33)),
            error: Some(Colour::Named(31)),
        }
    }
}

/// A part of `BUILDKIT_COLORS` that is ignored. The texts are those of BuildKit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColourError {
    /// The text is not a list. All of it is ignored.
    #[error("Could not parse BUILDKIT_COLORS. Falling back to defaults.: {0}")]
    List(CsvError),
    /// An entry is not a key and a value.
    #[error(
        "Could not parse BUILDKIT_COLORS component: {0}: A valid entry must have exactly two fields"
    )]
    Entry(String),
    /// There is no such key.
    #[error("Unknown key found in BUILDKIT_COLORS (expected: run, cancel, error, or warning): {0}")]
    Key(String),
    /// There is no such colour.
    #[error(
        "Unknown color value found in BUILDKIT_COLORS: {key}={value}: Colors must be a name from the \
         pre-defined list or a valid 3-part RGB value"
    )]
    Name {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A value with commas is not a list.
    #[error(
        "Could not parse value {value} as valid comma-separated RGB color. Ignoring.: {reason}"
    )]
    Value {
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: CsvError,
    },
    /// A value with commas has not three numbers.
    #[error(
        "Could not parse value {0} as valid RGB color. Ignoring.: A valid RGB color must have three fields"
    )]
    Count(String),
    /// A part of a value is not a number.
    #[error(
        "A field in BUILDKIT_COLORS appears to contain an RGB value that is not an integer: {0}"
    )]
    Number(String),
    /// A number is too small or too large.
    #[error(
        "A field in BUILDKIT_COLORS appears to contain an RGB value that is not within the valid range \
         of 0-255: {0}"
    )]
    Range(String),
}

impl Palette {
    /// Returns the palette without any colour.
    pub fn plain() -> Self {
        Self {
            run: None,
            cancel: None,
            warning: None,
            error: None,
        }
    }

    /// Returns the palette that `NO_COLOR` and `BUILDKIT_COLORS` set, and the parts that are ignored.
    pub(crate) fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> (Self, Vec<ColourError>) {
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return (Self::plain(), Vec::new());
        }
        match variable("BUILDKIT_COLORS") {
            Some(text) if !text.is_empty() => Self::parse(&text),
            _ => (Self::default(), Vec::new()),
        }
    }

    fn parse(text: &str) -> (Self, Vec<ColourError>) {
        let mut palette = Self::default();
        let entries = match csv::fields_between(':', text) {
            Ok(entries) => entries,
            Err(error) => return (palette, vec![ColourError::List(error)]),
        };
        let set = |entry: &String| palette.set(entry).err();
        let errors = entries.iter().filter_map(set).collect();
        (palette, errors)
    }

    fn set(&mut self, entry: &str) -> Result<(), ColourError> {
        let (key, value) = entry
            .split_once('=')
            .filter(|(_, value)| !value.contains('='))
            .ok_or_else(|| ColourError::Entry(entry.to_owned()))?;
        let key = key.to_lowercase();
        let colour = match Colour::named(value) {
            Some(colour) => colour,
            None if value.contains(',') => rgb(value)?,
            None => {
                let value = value.to_owned();
                return Err(ColourError::Name { key, value });
            }
        };
        let place = match key.as_str() {
            "run" => &mut self.run,
            "cancel" => &mut self.cancel,
            "warning" => &mut self.warning,
            "error" => &mut self.error,
            _ => return Err(ColourError::Key(key)),
        };
        *place = Some(colour);
        Ok(())
    }
}

fn rgb(value: &str) -> Result<Colour, ColourError> {
    let fields = csv::fields(value).map_err(|reason| ColourError::Value {
        value: value.to_owned(),
        reason,
    })?;
    let [red, green, blue] = fields.as_slice() else {
        return Err(ColourError::Count(value.to_owned()));
    };
    let number = |field: &String| {
        let number: i64 = field
            .parse()
            .map_err(|_| ColourError::Number(value.to_owned()))?;
        u8::try_from(number).map_err(|_| ColourError::Range(value.to_owned()))
    };
    Ok(Colour::rgb(number(red)?, number(green)?, number(blue)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Palette, Vec<String>) {
        let variable = |name: &str| (name == "BUILDKIT_COLORS").then(|| text.to_owned());
        let (palette, errors) = Palette::from_environment(variable);
        (palette, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn colours_have_names_or_three_numbers() {
        let (palette, errors) = parsed("RUN=Cyan:cancel=light-red:error=255,128,0:warning=default");
        assert_eq!(errors, [""; 0]);
        assert_eq!(palette.run, Some(Colour::Named(36)));
        assert_eq!(palette.cancel, Some(Colour::Named(91)));
        assert_eq!(palette.error, Some(Colour::Indexed(16 + 36 * 5 + 6 * 2)));
        assert_eq!(palette.warning, Some(Colour::Named(39)));
        assert_eq!(parsed("").0, Palette::default());
    }

    #[test]
    fn what_is_wrong_is_named_and_the_rest_counts() {
        for (text, error) in [
            (
                "run",
                "Could not parse BUILDKIT_COLORS component: run: A valid entry must have exactly two fields",
            ),
            (
                "run=a=b",
                "Could not parse BUILDKIT_COLORS component: run=a=b: A valid entry must have exactly two fields",
            ),
            (
                "walk=blue",
                "Unknown key found in BUILDKIT_COLORS (expected: run, cancel, error, or warning): walk",
            ),
            (
                "run=bleu",
                "Unknown color value found in BUILDKIT_COLORS: run=bleu: Colors must be a name from the \
                 pre-defined list or a valid 3-part RGB value",
            ),
            (
                "run=1,2",
                "Could not parse value 1,2 as valid RGB color. Ignoring.: A valid RGB color must have three fields",
            ),
            (
                "run=1,2,x",
                "A field in BUILDKIT_COLORS appears to contain an RGB value that is not an integer: 1,2,x",
            ),
            (
                "run=1,2,256",
                "A field in BUILDKIT_COLORS appears to contain an RGB value that is not within the valid range of \
                 0-255: 1,2,256",
            ),
        ] {
            let (palette, errors) = parsed(&format!("{text}:error=green"));
            assert_eq!(errors, [error]);
            let expected = Palette {
                error: Some(Colour::Named(32)),
                ..Palette::default()
            };
            assert_eq!(palette, expected, "{text}");
        }
        let (palette, errors) = parsed("error=green:r\"un=1");
        assert_eq!(palette, Palette::default());
        assert!(
            errors[0].starts_with("Could not parse BUILDKIT_COLORS. Falling back to defaults.: "),
            "{errors:?}"
        );
    }

    #[test]
    fn no_color_wins() {
        let set = |value: &'static str| {
            move |name: &str| match name {
                "NO_COLOR" => Some(value.to_owned()),
                "BUILDKIT_COLORS" => Some("run=cyan:x".to_owned()),
                _ => None,
            }
        };
        assert_eq!(
            Palette::from_environment(set("1")),
            (Palette::plain(), Vec::new())
        );
        let (palette, errors) = Palette::from_environment(set(""));
        assert_eq!(palette.run, Some(Colour::Named(36)));
        assert_eq!(errors.len(), 1);
    }
}
