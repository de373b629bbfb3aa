//! Observes a driver: every operation, every call to the host and every error, in the words of the
//! contract.
//!
//! Without an observer no text is made.

use std::fmt::Display;

use crate::bindings::contract::{Error, File, Platform};
use crate::error::DriverError;
use crate::limits;

/// Observes a driver. A driver makes one call at a time, so an answer belongs to the last call.
pub trait Observer: Send + Sync {
    /// An operation of the contract begins, for example `boot`.
    fn begin(&self, operation: &'static str);
    /// The driver calls the host, for example `container.find`. A method has the name of
    /// its resource, a function by that of its interface.
    fn call(&self, function: &'static str, arguments: &str);
    /// The answer to the last call, if it is of interest.
    fn answer(&self, answer: &str);
    /// The error that the last call is answered with.
    fn error(&self, error: &Error);
    /// The driver still held this number of handles of this kind when the operation returned.
    fn kept(&self, kind: &'static str, number: usize);
    /// The operation ended. A call without an answer will not get one.
    fn end(&self, operation: &'static str, outcome: Result<(), &DriverError>);
}

/// The arguments of a call, in one line, as far as an observer is told of them: a driver may say as
/// much as it likes, and a trace keeps all of it.
#[derive(Default)]
pub(crate) struct Line {
    text: String,
    full: bool,
}

impl Line {
    /// Adds a word without a name.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        self.begin();
        self.quoted(word);
        self
    }

    /// Adds a value with its name.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.begin();
        self.push(name);
        self.push("=");
        self.quoted(&value.to_string());
        self
    }

    /// Adds a value with its name, if there is one.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.field(name, value);
        }
        self
    }

    /// Adds a name, if it is set.
    pub(crate) fn flag(&mut self, name: &str, set: bool) -> &mut Self {
        if set {
            self.begin();
            self.push(name);
        }
        self
    }

    /// Adds several values with one name, if there are any.
    pub(crate) fn list(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> &mut Self {
        for (number, value) in values.into_iter().enumerate() {
            if number == 0 {
                self.begin();
                self.push(name);
                self.push("=");
            } else {
                self.push(",");
            }
            self.quoted(value.as_ref());
        }
        self
    }

    /// Adds pairs with one name, if there are any.
    pub(crate) fn pairs(&mut self, name: &str, pairs: &[(String, String)]) -> &mut Self {
        self.list(
            name,
            pairs.iter().map(|(key, value)| format!("{key}={value}")),
        )
    }

    /// Adds a command and its arguments.
    pub(crate) fn command(&mut self, command: &[String]) -> &mut Self {
        for word in command {
            self.word(word);
        }
        self
    }

    /// Adds files: path, permissions and size.
    pub(crate) fn files(&mut self, files: &[File]) -> &mut Self {
        let file = |file: &File| {
            let File {
                path,
                mode,
                contents,
            } = file;
            format!("{path}:{mode:o}:{}", contents.len())
        };
        self.list("files", files.iter().map(file))
    }

    /// Returns the text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn begin(&mut self) {
        if !self.text.is_empty() {
            self.push(" ");
        }
    }

    fn quoted(&mut self, word: &str) {
        let plain = !word.is_empty()
            && !word.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        if plain {
            self.push(word);
        } else {
            let beginning = word.chars().take(limits::OBSERVED_BYTES);
            self.push(&format!("{:?}", beginning.collect::<String>()));
        }
    }

    fn push(&mut self, text: &str) {
        if self.full {
            return;
        }
        self.full = self.text.len() + text.len() > limits::OBSERVED_BYTES;
        self.text.push_str(if self.full { "..." } else { text });
    }
}

/// Formats a duration of the contract, in nanoseconds.
pub(crate) fn span(nanoseconds: u64) -> String {
    format!("{:?}", std::time::Duration::from_nanos(nanoseconds))
}

/// Formats a platform in the words of OCI, for example `linux/arm64/v8`.
pub(crate) fn platform(platform: &Platform) -> String {
    let mut text = format!("{}/{}", platform.os, platform.architecture);
    if let Some(variant) = &platform.cpu_variant {
        text += "/";
        text += variant;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_end() {
        let mut line = Line::default();
        line.word("short").word("two words");
        assert_eq!(line.text(), "short \"two words\"");
        for long in ["x".repeat(limits::OBSERVED_BYTES), "\n".repeat(15 << 20)] {
            let mut line = Line::default();
            line.word("begins").word(&long);
            for _ in 0..100_000 {
                line.field("name", "value").list("list", ["a", "b"]);
            }
            let text = line.text();
            assert!(text.starts_with("begins ") && text.ends_with("..."));
            assert!(text.len() <= limits::OBSERVED_BYTES + 3, "{}", text.len());
        }
    }
}
