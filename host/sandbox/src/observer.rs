//! What a test kit sees of a driver: every operation, every call to the host and every error that
//! it is answered with, in the contract's words.
//!
//! Nothing of it is put into words where nobody observes.

use std::fmt::Display;

use crate::bindings::contract::{Error, File, Platform};
use crate::error::DriverError;
use crate::limits;

/// Sees what a driver does. A driver does one thing at a time, so an answer is to the last call.
pub trait Observer: Send + Sync {
    /// An operation of the contract begins: `describe`, `boot`.
    fn begin(&self, operation: &'static str);
    /// The driver calls the host: `container.find`, and with what. A method goes by the name of
    /// its resource, a function by that of its interface.
    fn call(&self, function: &'static str, arguments: &str);
    /// What the last call is answered with, where that is worth telling.
    fn answer(&self, answer: &str);
    /// The error that the last call is answered with.
    fn error(&self, error: &Error);
    /// The driver kept so many things of the host of this kind when the operation returned.
    fn kept(&self, kind: &'static str, number: usize);
    /// The operation ended. A call that was not answered until then never is.
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
    /// Something that needs no name.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        self.begin();
        self.quoted(word);
        self
    }

    /// Something by its name.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.begin();
        self.push(name);
        self.push("=");
        self.quoted(&value.to_string());
        self
    }

    /// Something by its name, where it is there.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.field(name, value);
        }
        self
    }

    /// A name that is there or is not.
    pub(crate) fn flag(&mut self, name: &str, set: bool) -> &mut Self {
        if set {
            self.begin();
            self.push(name);
        }
        self
    }

    /// Several things by one name, where there are any.
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

    /// Pairs by one name, where there are any.
    pub(crate) fn pairs(&mut self, name: &str, pairs: &[(String, String)]) -> &mut Self {
        self.list(
            name,
            pairs.iter().map(|(key, value)| format!("{key}={value}")),
        )
    }

    /// A command and its arguments.
    pub(crate) fn command(&mut self, command: &[String]) -> &mut Self {
        for word in command {
            self.word(word);
        }
        self
    }

    /// Files: path, permissions and size.
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

    /// The text.
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

/// A span of the contract, in nanoseconds.
pub(crate) fn span(nanoseconds: u64) -> String {
    format!("{:?}", std::time::Duration::from_nanos(nanoseconds))
}

/// As OCI writes it: `linux/arm64/v8`.
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
