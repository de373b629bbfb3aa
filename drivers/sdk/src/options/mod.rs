//! Options: declaration, description, checks and values in one place.

mod declaration;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::types::Pair;
use crate::{Issue, OptionKind, OptionSpec, Severity, values};

pub use declaration::{Declaration, Table};

/// The options of a node. Each method declares one option with its help text. The end of the
/// declaration ([`optional`](Declaration::optional), [`default`](Declaration::default) or
/// [`required`](Declaration::required)) reads the value.
///
/// A value that cannot be parsed becomes a fault with the name of the option, and reading continues:
/// one run finds every fault.
///
/// ```
/// use iechor_driver::{Options, values};
///
/// # fn read(options: &mut Options) {
/// let memory: Option<u64> = options.size("memory", "Memory to use").optional();
/// let load: bool = options.boolean("load", "Load results").default("false");
/// let processors: Option<String> = options
///     .text("processors", "Processors to run on, for example 0-2,4")
///     .parse(values::cpuset)
///     .optional();
/// let env: Vec<(String, String)> = options
///     .table("env", "Environment variable of BuildKit, as env.NAME=VALUE")
///     .read();
/// if memory.is_some_and(|bytes| bytes < 64 << 20) {
///     options.refuse("memory", "BuildKit needs 64m at least");
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Options {
    given: Vec<Pair>,
    declared: Vec<OptionSpec>,
    issues: Vec<Issue>,
    missing: Vec<String>,
}

impl Options {
    pub(crate) fn new(given: Vec<Pair>) -> Self {
        Self {
            given,
            declared: Vec::new(),
            issues: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Declares an option with any text.
    pub fn text(&mut self, name: &str, help: &str) -> Declaration<'_, String> {
        self.parsed(name, OptionKind::Text, help, |text| Ok(text.to_owned()))
    }

    /// Declares an option with a boolean, see [`values::boolean`].
    pub fn boolean(&mut self, name: &str, help: &str) -> Declaration<'_, bool> {
        self.parsed(name, OptionKind::Boolean, help, values::boolean)
    }

    /// Declares an option with a whole number.
    pub fn integer(&mut self, name: &str, help: &str) -> Declaration<'_, i64> {
        self.parsed(name, OptionKind::Integer, help, values::integer)
    }

    /// Declares an option with a number of bytes, for example `512m`, see [`values::bytes`].
    pub fn size(&mut self, name: &str, help: &str) -> Declaration<'_, u64> {
        self.parsed(name, OptionKind::Size, help, values::bytes)
    }

    /// Declares an option with a duration, for example `1m30s`, see [`values::duration`].
    pub fn duration(&mut self, name: &str, help: &str) -> Declaration<'_, Duration> {
        self.parsed(name, OptionKind::Duration, help, values::duration)
    }

    /// Declares an option with one of these words, each of which stands for a value.
    pub fn choice<T: Clone + 'static>(
        &mut self,
        name: &str,
        choices: &[(&str, T)],
        help: &str,
    ) -> Declaration<'_, T> {
        let words = choices.iter().map(|(word, _)| (*word).to_owned()).collect();
        let choices: Vec<(String, T)> = choices
            .iter()
            .map(|(word, value)| ((*word).to_owned(), value.clone()))
            .collect();
        self.parsed(
            name,
            OptionKind::Choice(words),
            help,
            move |text| match choices.iter().find(|(word, _)| word == text) {
                Some((_, value)) => Ok(value.clone()),
                None => {
                    let words: Vec<_> = choices.iter().map(|(word, _)| word.as_str()).collect();
                    Err(format!("{text:?} is none of: {}", words.join(", ")))
                }
            },
        )
    }

    /// Declares an option with a file of certificates or a key in PEM. The value is a name for
    /// [`Tls`](crate::transport::Tls); the contents of the file stay with the host.
    pub fn file(&mut self, name: &str, help: &str) -> Declaration<'_, String> {
        self.parsed(name, OptionKind::File, help, |text| Ok(text.to_owned()))
    }

    /// Declares an option with a parser. The host shows and checks `kind`; an error of the parser is one
    /// clause without the name of the option.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        kind: OptionKind,
        help: &str,
        parse: impl Fn(&str) -> Result<T, String> + 'static,
    ) -> Declaration<'_, T> {
        Declaration::new(self, spec(name, kind, help), parse)
    }

    /// Declares a table: any number of `NAME.key=value`, for example `env.FOO=bar`.
    pub fn table(&mut self, name: &str, help: &str) -> Table<'_> {
        Table::new(self, spec(name, OptionKind::Table, help))
    }

    /// Returns whether the user gave the option, with a valid value or not.
    pub fn is_given(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Refuses the value of an option. `message` says why and how to fix it, without the name of the
    /// option.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.add(Severity::Error, Some(name), message.into());
    }

    /// Adds a warning about an option.
    pub fn warn(&mut self, name: &str, message: impl Into<String>) {
        self.add(Severity::Warning, Some(name), message.into());
    }

    /// Refuses something other than an option, for example the files of the node or the flags of
    /// buildkitd.
    pub fn refuse_node(&mut self, message: impl Into<String>) {
        self.add(Severity::Error, None, message.into());
    }

    fn add(&mut self, severity: Severity, subject: Option<&str>, message: String) {
        self.issues.push(Issue {
            severity,
            subject: subject.map(str::to_owned),
            message,
        });
    }

    /// Returns the value as it was given; the last one counts.
    fn value(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns what was found, but for required options that are missing.
    pub(crate) fn issues(self) -> Vec<Issue> {
        self.issues
    }

    /// Returns the required options that were not given.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }

    pub(crate) fn given(&self) -> &[Pair] {
        &self.given
    }

    pub(crate) fn declared(&self) -> &[OptionSpec] {
        &self.declared
    }

    pub(crate) fn into_declared(self) -> Vec<OptionSpec> {
        self.declared
    }

    /// Returns every error in one text, if there are any.
    pub(crate) fn refusal(&self) -> Option<String> {
        let missing = self
            .missing
            .iter()
            .map(|name| format!("option {name}: it must be given"));
        let wrong = self
            .issues
            .iter()
            .filter(|issue| issue.severity == Severity::Error)
            .map(|issue| match &issue.subject {
                Some(subject) => format!("option {subject}: {}", issue.message),
                None => issue.message.clone(),
            });
        let faults: Vec<_> = missing.chain(wrong).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

fn spec(name: &str, kind: OptionKind, help: &str) -> OptionSpec {
    OptionSpec {
        name: name.into(),
        kind,
        help: help.into(),
        default: None,
        required: false,
        secret: false,
        deprecated: None,
    }
}
