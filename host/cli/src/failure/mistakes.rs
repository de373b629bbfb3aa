//! The mistakes of a command line, all at once, each with its flag.

use std::fmt;

use iechor_build::{BuildError, Mistake, Mistakes, Setting};
use iechor_values::causes::chain;

use super::build;

/// The mistakes of a command line: words that cannot be read, and settings that are wrong.
///
/// A command that finds a mistake goes on to look for others, and fails with all of them.
#[derive(Debug, Clone, Default)]
pub struct WrongLine(Vec<Wrong>);

/// One mistake.
#[derive(Debug, Clone)]
struct Wrong {
    /// The flag or the argument; `None` if the text names it.
    place: Option<&'static str>,
    text: String,
    hint: Option<String>,
}

impl WrongLine {
    /// Adds a mistake whose text names its place.
    pub fn add(&mut self, text: String, hint: Option<String>) {
        self.0.push(Wrong {
            place: None,
            text,
            hint,
        });
    }

    /// Returns the value of a flag, or adds its error and returns `None`.
    pub fn note<T>(&mut self, flag: &'static str, read: anyhow::Result<T>) -> Option<T> {
        read.map_err(|error| {
            self.0.push(Wrong {
                place: Some(flag),
                text: chain(error.as_ref()),
                hint: None,
            });
        })
        .ok()
    }

    /// Returns whether there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Succeeds if there is no mistake.
    pub fn check(self) -> anyhow::Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(self.into()),
        }
    }

    /// Returns the error of a build with settings that are wrong: these mistakes, and those.
    pub fn with_settings(mut self, mistakes: Mistakes) -> anyhow::Error {
        let is_single = self.is_empty() && mistakes.len() == 1;
        for Mistake { setting, error } in mistakes {
            if is_single && let BuildError::Builder(error) = error {
                // It is reported the same way in every command.
                return anyhow::Error::from(*error);
            }
            self.0.push(Wrong {
                place: Some(place(setting)),
                text: text(setting, &error),
                hint: super::hints(&error.into()).into_iter().next(),
            });
        }
        self.into()
    }

    /// Returns what to do about the mistakes, each hint once.
    pub(super) fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        for hint in self.0.iter().filter_map(|wrong| wrong.hint.as_ref()) {
            if !hints.contains(hint) {
                hints.push(hint.clone());
            }
        }
        hints
    }
}

impl fmt::Display for WrongLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // docker buildx prints the first mistake only: its text stays whole.
        if let [wrong] = self.0.as_slice() {
            return formatter.write_str(&wrong.text);
        }
        write!(formatter, "{} mistakes in the command line:", self.0.len())?;
        for wrong in &self.0 {
            let text = wrong.text.replace('\n', "\n    ");
            match wrong.place {
                Some(place) => write!(formatter, "\n  {place}: {text}")?,
                None => write!(formatter, "\n  {text}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for WrongLine {}

/// Returns the text of a mistake. As in docker buildx, the text about a value that its flag reads itself
/// names the flag.
fn text(setting: Setting, error: &BuildError) -> String {
    match build::value_of_flag(error) {
        Some(value) => format!(
            "invalid argument {value:?} for {:?} flag: {error}",
            place(setting)
        ),
        None => error.to_string(),
    }
}

/// Returns the flag or the argument of a setting.
fn place(setting: Setting) -> &'static str {
    match setting {
        Setting::Builder => "--builder",
        Setting::Context => "PATH",
        Setting::File => "--file",
        Setting::BuildContext => "--build-context",
        Setting::Target => "--target",
        Setting::BuildArg => "--build-arg",
        Setting::Label => "--label",
        Setting::Annotation => "--annotation",
        Setting::Platform => "--platform",
        Setting::Tag => "--tag",
        Setting::Output => "--output",
        Setting::Load => "--load",
        Setting::Push => "--push",
        Setting::Attest => "--attest",
        Setting::Provenance => "--provenance",
        Setting::Sbom => "--sbom",
        Setting::CacheFrom => "--cache-from",
        Setting::CacheTo => "--cache-to",
        Setting::NoCacheFilter => "--no-cache-filter",
        Setting::Secret => "--secret",
        Setting::Ssh => "--ssh",
        Setting::Allow => "--allow",
        Setting::Call => "--call",
        Setting::AddHost => "--add-host",
        Setting::Network => "--network",
        Setting::ShmSize => "--shm-size",
        Setting::Ulimit => "--ulimit",
        Setting::Resource => "--resource",
        Setting::CgroupParent => "--cgroup-parent",
        Setting::Policy => "--policy",
        Setting::Progress => "--progress",
        Setting::MetadataFile => "--metadata-file",
        Setting::IidFile => "--iidfile",
    }
}

#[cfg(test)]
mod tests {
    use iechor_build::spec::parse;
    use iechor_build::spec::steps::parse::shm_size;
    use iechor_builder::BuilderError;

    use super::*;

    #[test]
    fn a_single_mistake_has_the_text_of_the_peer() {
        let mut mistakes = Mistakes::default();
        mistakes.note(Setting::Label, parse::pair("=v"));
        let error = WrongLine::default().with_settings(mistakes);
        let text = "invalid key-value pair \"=v\": empty key";
        assert_eq!(error.to_string(), text);
        let mut mistakes = Mistakes::default();
        mistakes.note(Setting::ShmSize, shm_size("x"));
        let error = WrongLine::default().with_settings(mistakes);
        let text = "invalid argument \"x\" for \"--shm-size\" flag: invalid size: 'x'";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn several_mistakes_are_listed_by_flag_with_each_hint_once() {
        let mut line = WrongLine::default();
        line.add("unknown flag: --banana".into(), None);
        let bad: anyhow::Result<()> = Err(anyhow::anyhow!("no such mode"));
        assert_eq!(line.note("--progress", bad), None);
        let mut mistakes = Mistakes::default();
        mistakes.note(Setting::Tag, parse::tag("Bad"));
        mistakes.note(Setting::Tag, parse::tag("two\nlines"));
        let lost: Result<(), _> = Err(BuilderError::Raced);
        mistakes.note(Setting::Builder, lost);
        let error = line.with_settings(mistakes);
        let lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines[..4],
            [
                "5 mistakes in the command line:",
                "  unknown flag: --banana",
                "  --progress: no such mode",
                "  --tag: invalid tag \"Bad\": invalid reference format",
            ]
        );
        assert!(lines[5].starts_with("  --builder: "), "{lines:?}");
        let line: &WrongLine = error.downcast_ref().expect("of this type");
        assert_eq!(line.hints().len(), 2, "{:?}", line.hints());
    }

    #[test]
    fn a_single_mistake_about_the_builder_is_reported_as_everywhere() {
        let mut mistakes = Mistakes::default();
        let lost: Result<(), _> = Err(BuilderError::Cancelled("x"));
        mistakes.note(Setting::Builder, lost);
        let error = WrongLine::default().with_settings(mistakes);
        assert!(error.downcast_ref::<BuilderError>().is_some());
    }
}
