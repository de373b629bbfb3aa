//! The checks of options that need only the descriptor: names, and values of simple kinds.

use std::collections::BTreeMap;

use crate::bindings::contract::{Descriptor, Issue, OptionKind, OptionSpec, Pair, Severity};
use crate::files::{self, OptionFiles};
use crate::text::nearest;

/// What was found about options.
pub(crate) struct Checked {
    /// Those that are in order, each name once (the last one given). The value of a file is the
    /// option's own name.
    pub(crate) right: Vec<Pair>,
    /// The files among them.
    pub(crate) files: OptionFiles,
    /// Every fault.
    pub(crate) issues: Vec<Issue>,
}

/// Checks names and the values of the kinds `boolean`, `integer`, `choice` and `file`.
pub(crate) fn check(descriptor: &Descriptor, options: &[Pair]) -> Checked {
    let mut right: Vec<Pair> = Vec::new();
    let mut read = BTreeMap::new();
    let mut issues = Vec::new();
    for (name, value) in options {
        let Some(spec) = descriptor.option(name) else {
            issues.push(fault(name, unknown(&descriptor.options, name)));
            continue;
        };
        if let Err(what) = spec.kind.check(value) {
            let shown = match spec.secret {
                true => "the value".to_owned(),
                false => format!("{value:?}"),
            };
            issues.push(fault(name, format!("{shown} {what}")));
            continue;
        }
        let mut value = value.clone();
        if let OptionKind::File = spec.kind {
            match files::read(&value) {
                Ok(contents) => {
                    read.insert(name.clone(), contents);
                    value.clone_from(name);
                }
                Err(message) => {
                    issues.push(fault(name, message));
                    continue;
                }
            }
        }
        if let Some(reason) = &spec.deprecated {
            issues.push(Issue {
                severity: Severity::Warning,
                subject: Some(name.clone()),
                message: format!("deprecated: {reason}"),
            });
        }
        right.retain(|(earlier, _)| earlier != name);
        right.push((name.clone(), value));
    }
    for spec in &descriptor.options {
        if spec.required && !options.iter().any(|(name, _)| spec.is_meant_by(name)) {
            issues.push(fault(&spec.name, "it must be given".into()));
        }
    }
    Checked {
        right,
        files: OptionFiles::new(read),
        issues,
    }
}

impl Descriptor {
    /// Returns the option that a name means: `env.FOO` is one of the table `env`.
    pub fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.options.iter().find(|spec| spec.is_meant_by(name))
    }
}

impl OptionSpec {
    fn is_meant_by(&self, name: &str) -> bool {
        match self.kind {
            OptionKind::Table => name
                .strip_prefix(self.name.as_str())
                .is_some_and(|rest| rest.starts_with('.')),
            _ => self.name == name,
        }
    }
}

impl OptionKind {
    /// Checks a value as far as the host does: sizes, durations and the like are the driver's.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that go behind the value.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Self::Boolean => match value {
                "1" | "t" | "T" | "true" | "TRUE" | "True" | "0" | "f" | "F" | "false"
                | "FALSE" | "False" => Ok(()),
                _ => Err("is neither true nor false".into()),
            },
            Self::Integer => value
                .parse::<i64>()
                .map(|_| ())
                .map_err(|_| "is not a whole number".into()),
            Self::Choice(choices) if !choices.iter().any(|choice| choice == value) => {
                Err(format!("is none of: {}", choices.join(", ")))
            }
            _ => Ok(()),
        }
    }
}

fn unknown(specs: &[OptionSpec], name: &str) -> String {
    let shown = |spec: &OptionSpec| match spec.kind {
        OptionKind::Table => format!("{}.NAME", spec.name),
        _ => spec.name.clone(),
    };
    let nearest = nearest(name, specs.iter().map(|spec| spec.name.as_str()));
    match nearest.and_then(|nearest| specs.iter().find(|spec| spec.name == nearest)) {
        Some(spec) => format!("there is no such option; did you mean {}?", shown(spec)),
        None => {
            let names: Vec<_> = specs.iter().map(shown).collect();
            format!("there is no such option; there are: {}", names.join(", "))
        }
    }
}

fn fault(name: &str, message: String) -> Issue {
    Issue {
        severity: Severity::Error,
        subject: Some(name.into()),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> Descriptor {
        let option = |name: &str, kind, required| OptionSpec {
            name: name.into(),
            kind,
            help: String::new(),
            default: None,
            required,
            secret: false,
            deprecated: None,
        };
        Descriptor {
            name: "d".into(),
            version: "1".into(),
            summary: String::new(),
            vendor: None,
            homepage: None,
            license: None,
            multi_node: true,
            options: vec![
                option("image", OptionKind::Text, false),
                option("default-load", OptionKind::Boolean, false),
                option("cpu-quota", OptionKind::Integer, false),
                option(
                    "mode",
                    OptionKind::Choice(vec!["fast".into(), "safe".into()]),
                    true,
                ),
                option("env", OptionKind::Table, false),
                option("cert", OptionKind::File, false),
            ],
            capabilities: Vec::new(),
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<Pair> {
        list.iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn every_fault_is_found_in_one_go_and_what_is_right_is_kept() {
        let Checked {
            right,
            files,
            issues,
        } = check(
            &descriptor(),
            &pairs(&[
                ("cert", "/nonexistent.pem"),
                ("imag", "x"),
                ("image", "a"),
                ("image", "b"),
                ("default-load", "maybe"),
                ("cpu-quota", "many"),
                ("env.A", "1"),
                ("env", "1"),
                ("colour", "red"),
            ]),
        );
        assert_eq!(right, pairs(&[("image", "b"), ("env.A", "1")]));
        assert_eq!(files.names().count(), 0);
        let found: Vec<_> = issues
            .iter()
            .map(|issue| {
                (
                    issue.subject.as_deref().expect("named"),
                    issue.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    "cert",
                    "cannot read /nonexistent.pem: No such file or directory (os error 2); give \
                     the path of a file with certificates or a key in PEM"
                ),
                ("imag", "there is no such option; did you mean image?"),
                ("default-load", "\"maybe\" is neither true nor false"),
                ("cpu-quota", "\"many\" is not a whole number"),
                ("env", "there is no such option; did you mean env.NAME?"),
                (
                    "colour",
                    "there is no such option; there are: image, default-load, cpu-quota, mode, \
                     env.NAME, cert"
                ),
                ("mode", "it must be given"),
            ]
        );
    }

    #[test]
    fn a_table_that_must_be_given_is_given_by_any_part_of_it() {
        let mut descriptor = descriptor();
        let table = descriptor.options.iter_mut();
        for spec in table.filter(|spec| matches!(spec.kind, OptionKind::Table)) {
            spec.required = true;
        }
        let missing = |options: &[(&str, &str)]| {
            let issues = check(&descriptor, &pairs(options)).issues;
            let subjects = issues.into_iter().filter_map(|issue| issue.subject);
            subjects.collect::<Vec<_>>()
        };
        assert_eq!(missing(&[("mode", "fast")]), ["env"]);
        assert_eq!(missing(&[("mode", "fast"), ("env.A", "")]), [""; 0]);
    }

    #[test]
    fn a_driver_gets_the_name_of_a_file_and_not_its_path() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let pem = "-----BEGIN CERTIFICATE-----\nMAIwAA==\n-----END CERTIFICATE-----\n";
        std::fs::write(file.path(), pem).expect("written");
        let path = file.path().to_str().expect("Unicode");
        let checked = check(&descriptor(), &pairs(&[("cert", path), ("mode", "fast")]));
        assert!(checked.issues.is_empty(), "{:?}", checked.issues);
        assert_eq!(checked.right, pairs(&[("cert", "cert"), ("mode", "fast")]));
        assert_eq!(checked.files.get("cert"), Some(pem.as_bytes()));
    }
}
