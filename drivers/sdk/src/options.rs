//! Declaring options, and reading them with every fault collected.

use crate::bindings::exports::iechor::driver::driver::{Issue, OptionKind, OptionSpec, Severity};
use crate::bindings::iechor::driver::types::Pair;

/// Declares an option without a default.
pub fn option(name: &str, kind: OptionKind, help: &str) -> OptionSpec {
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

/// Declares an option with a default.
pub fn option_with_default(name: &str, kind: OptionKind, default: &str, help: &str) -> OptionSpec {
    OptionSpec {
        default: Some(default.into()),
        ..option(name, kind, help)
    }
}

/// Reads the options of a configuration one by one; a value that does not parse becomes an issue
/// that names its option, and reading goes on.
pub struct Reader<'a> {
    options: &'a [Pair],
    issues: Vec<Issue>,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(options: &'a [Pair]) -> Self {
        Self {
            options,
            issues: Vec::new(),
        }
    }

    /// The value of an option as it was given.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.options
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of an option, parsed; `None` where it was not given or does not parse.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// The `key=value` pairs of a table such as `env.FOO=bar`, in the order of the configuration.
    pub fn table(&mut self, name: &str) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (option, value) in self.options {
            let Some(key) = option
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if key.is_empty() {
                self.refuse(option, format!("expecting {name}.NAME=VALUE"));
            } else {
                pairs.push((key.to_owned(), value.clone()));
            }
        }
        pairs
    }

    /// Records that an option is at fault.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.issues.push(Issue {
            severity: Severity::Error,
            subject: Some(name.to_owned()),
            message: message.into(),
        });
    }

    /// Everything that was found.
    pub fn finish(self) -> Vec<Issue> {
        self.issues
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values;

    fn pairs(list: &[(&str, &str)]) -> Vec<Pair> {
        list.iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn every_fault_is_collected_by_name() {
        let options = pairs(&[
            ("memory", "banana"),
            ("cpu-quota", "x"),
            ("env.", "v"),
            ("image", "i"),
        ]);
        let mut reader = Reader::new(&options);
        assert_eq!(reader.text("image"), Some("i"));
        assert_eq!(reader.parsed("memory", values::bytes), None);
        assert_eq!(reader.parsed("cpu-quota", values::integer), None);
        assert_eq!(reader.parsed("cpu-period", values::integer), None);
        assert!(reader.table("env").is_empty());
        let subjects: Vec<_> = reader
            .finish()
            .into_iter()
            .filter_map(|issue| issue.subject)
            .collect();
        assert_eq!(subjects, ["memory", "cpu-quota", "env."]);
    }

    #[test]
    fn tables_keep_order_and_dots() {
        let options = pairs(&[("env.B", "1"), ("environment", "no"), ("env.A.C", "2=3")]);
        let mut reader = Reader::new(&options);
        assert_eq!(reader.table("env"), pairs(&[("B", "1"), ("A.C", "2=3")]));
        assert!(reader.finish().is_empty());
    }
}
