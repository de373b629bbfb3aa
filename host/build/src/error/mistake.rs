//! Mistakes in the settings of a build, reported all at once.
//!
//! The code that reads the settings (the command line, a definition file) collects [`Mistakes`] with
//! [`Mistakes::note`] or [`Mistakes::note_all`] and passes them to [`plan`](crate::plan()), which adds what it finds without a
//! daemon. The build goes on only if there is none: see [`Mistakes::check`].
//!
//! To add a check of a setting:
//! - A check of the text alone is a function in [`spec`](crate::spec) that returns a `SpecError`, or all of
//!   them. Wrap its call in [`Mistakes::note`] or [`Mistakes::note_all`] where the settings are read.
//! - A check that needs the machine but no daemon (does a file exist, is there such a builder) is called
//!   where [`plan::check_settings`](crate::plan::check_settings) does its work, with `note` as well.
//!
//! Neither may return at its first fault with `?`: the mistakes behind it would stay hidden. A check
//! that depends on another setting is left out if that setting [has a mistake](Mistakes::has).

use std::fmt;

use super::BuildError;
use crate::setting::Setting;

/// A mistake in a setting.
#[derive(Debug)]
pub struct Mistake {
    /// The setting.
    pub setting: Setting,
    /// The mistake.
    pub error: BuildError,
}

/// The mistakes in the settings of a build, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Returns the value of a check, or notes its error and returns `None`.
    pub fn note<T, E: Into<BuildError>>(
        &mut self,
        setting: Setting,
        checked: Result<T, E>,
    ) -> Option<T> {
        self.note_all(setting, checked.map_err(|error| vec![error]))
    }

    /// Returns the value of a check that may have several errors, or notes them and returns `None`.
    pub fn note_all<T, E: Into<BuildError>>(
        &mut self,
        setting: Setting,
        checked: Result<T, Vec<E>>,
    ) -> Option<T> {
        checked
            .map_err(|errors| {
                self.0.extend(errors.into_iter().map(|error| Mistake {
                    setting,
                    error: error.into(),
                }));
            })
            .ok()
    }

    /// Returns whether a mistake in the setting was found.
    pub fn has(&self, setting: Setting) -> bool {
        self.0.iter().any(|mistake| mistake.setting == setting)
    }

    /// Returns whether no mistake was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of mistakes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds mistakes.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Succeeds if no mistake was found.
    ///
    /// # Errors
    ///
    /// [`BuildError::Mistakes`] with all mistakes.
    pub fn check(self) -> Result<(), BuildError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(BuildError::Mistakes(self)),
        }
    }
}

impl IntoIterator for Mistakes {
    type Item = Mistake;
    type IntoIter = std::vec::IntoIter<Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Mistakes {
    /// Writes the error of a single mistake unchanged, and several ones as a list.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [mistake] = self.0.as_slice() {
            return write!(formatter, "{}", mistake.error);
        }
        write!(formatter, "{} mistakes in the settings", self.0.len())?;
        for mistake in &self.0 {
            write!(formatter, "\n  {}", mistake.error)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    #[test]
    fn all_mistakes_are_kept_and_a_single_one_stays_whole() {
        let mut mistakes = Mistakes::default();
        assert!(mistakes.note(Setting::Tag, parse::tag("demo:1")).is_some());
        assert!(mistakes.is_empty());
        assert!(mistakes.note(Setting::Tag, parse::tag("Bad")).is_none());
        assert!(mistakes.has(Setting::Tag) && !mistakes.has(Setting::Label));
        let single = "invalid tag \"Bad\": invalid reference format";
        assert_eq!(mistakes.to_string(), single);
        mistakes.note(Setting::Label, parse::pair("=v"));
        let error = mistakes.check().expect_err("two").to_string();
        let listed = "2 mistakes in the settings\n  invalid tag \"Bad\": invalid reference format\n  \
                      invalid key-value pair \"=v\": empty key";
        assert_eq!(error, listed);
        assert!(Mistakes::default().check().is_ok());
    }
}
