//! `describe`, `priority` and `validate`.

use std::collections::BTreeSet;
use std::sync::Arc;

use iechor_sandbox::contract::{Config, Descriptor, OptionKind, OptionSpec};
use iechor_sandbox::grant::CATALOGUE;
use iechor_sandbox::{Driver, DriverError, Observer};

use super::configured::with_defaults;
use super::{Outcome, Verdict};
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::{Trace, failure_kind};

/// What Go's `strconv.ParseBool` takes.
const BOOLEANS: [&str; 12] = [
    "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False",
];
/// What pure functions may call: it has no effect on anything that lasts.
const HARMLESS: [&str; 2] = ["log.", "clock."];

pub(super) async fn describe_is_sound(subject: &Subject) -> Verdict {
    let faults = faults_of(&subject.descriptor);
    if faults.is_empty() {
        Ok(Outcome::Passed)
    } else {
        Err(Failure::new("a sound description", faults.join("; ")))
    }
}

fn faults_of(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = Vec::new();
    let characters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if descriptor.name.is_empty() || !descriptor.name.chars().all(characters) {
        faults.push(format!(
            "the name {:?} is not of lower-case letters, digits and '-'",
            descriptor.name
        ));
    }
    for (what, text) in [
        ("version", &descriptor.version),
        ("summary", &descriptor.summary),
    ] {
        if text.trim().is_empty() {
            faults.push(format!("the {what} is empty"));
        }
    }
    let mut names = BTreeSet::new();
    for option in &descriptor.options {
        let name = &option.name;
        let characters = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(characters) {
            faults.push(format!(
                "option {name:?} has a name that no command line can give"
            ));
        }
        if !names.insert(name) {
            faults.push(format!("there are two options {name}"));
        }
        if option.help.trim().is_empty() {
            faults.push(format!("option {name} has no help"));
        }
        if option.required && option.default.is_some() {
            faults.push(format!("option {name} must be given and has a default"));
        }
        if let Some(default) = &option.default
            && !is_of_kind(&option.kind, default)
        {
            faults.push(format!(
                "option {name} has the default {default:?}, which is not of its kind"
            ));
        }
        if option.default.is_some() && matches!(option.kind, OptionKind::Table) {
            faults.push(format!(
                "option {name} is a table, of which nobody can give a default: its parts have names"
            ));
        }
        if matches!(&option.kind, OptionKind::Choice(choices) if choices.is_empty()) {
            faults.push(format!("option {name} is a choice of nothing"));
        }
    }
    let mut names = BTreeSet::new();
    for request in &descriptor.capabilities {
        let name = &request.name;
        if !CATALOGUE.iter().any(|known| known.name == *name) {
            faults.push(unknown_capability(name));
        }
        if !names.insert(name) {
            faults.push(format!(
                "capability {name} is asked for twice; give it two scopes"
            ));
        }
        if request.reason.trim().is_empty() {
            faults.push(format!("capability {name} is asked for without a reason"));
        }
    }
    faults
}

/// Says what there is instead, the nearest first.
fn unknown_capability(name: &str) -> String {
    let mut known: Vec<_> = CATALOGUE.iter().map(|known| known.name).collect();
    let common = |other: &str| {
        // What they have in common at both ends: a name that was spelt wrong differs in between.
        let from_begin = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
        let from_end = name.bytes().rev().zip(other.bytes().rev());
        from_begin.count() + from_end.take_while(|(a, b)| a == b).count()
    };
    known.sort_by_key(|other| std::cmp::Reverse(common(other)));
    format!(
        "there is no capability {name:?}; did you mean {}? There are: {}",
        known.first().copied().unwrap_or_default(),
        CATALOGUE
            .iter()
            .map(|known| known.name)
            .collect::<Vec<_>>()
            .join(", ")
    )
}

fn is_of_kind(kind: &OptionKind, value: &str) -> bool {
    match kind {
        OptionKind::Boolean => BOOLEANS.contains(&value),
        OptionKind::Integer => value.parse::<i64>().is_ok(),
        OptionKind::Choice(choices) => choices.iter().any(|choice| choice == value),
        _ => true,
    }
}

/// The answers of all pure functions, in a fresh instance each.
async fn ask(
    subject: &Subject,
    trace: &Arc<Trace>,
) -> Result<[(&'static str, String); 3], DriverError> {
    let driver: Arc<Driver> = subject
        .driver
        .observed(Arc::clone(trace) as Arc<dyn Observer>);
    let described = driver.descriptor().await?;
    let mut priorities = Vec::new();
    for endpoint in [
        subject.given.endpoint.as_str(),
        "",
        "tcp://10.0.0.1:2375",
        "kubernetes://",
    ] {
        priorities.push(driver.priority(endpoint).await?);
    }
    let validated = driver.validate(&subject.given).await?;
    Ok([
        ("describe", format!("{described:?}")),
        ("priority", format!("{priorities:?}")),
        ("validate", format!("{validated:?}")),
    ])
}

fn asked<T>(trace: &Trace, result: Result<T, DriverError>) -> Result<T, Failure> {
    result.map_err(|error| Failure {
        trace: trace.last_lines(),
        ..Failure::new(
            "describe, priority and validate answer",
            format!("{}: {error}", failure_kind(&error)),
        )
    })
}

pub(super) async fn reach_nothing(subject: &Subject) -> Verdict {
    let trace = subject.trace();
    asked(&trace, ask(subject, &trace).await)?;
    subject.cover(&trace);
    let reached: Vec<_> = trace
        .functions()
        .into_keys()
        .filter(|function| !HARMLESS.iter().any(|prefix| function.starts_with(prefix)))
        .collect();
    if reached.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Failure {
        trace: trace.last_lines(),
        ..Failure::new(
            "describe, priority and validate call nothing but log and clock",
            format!("they called {}", reached.join(", ")),
        )
    })
}

pub(super) async fn repeat_themselves(subject: &Subject) -> Verdict {
    let trace = subject.trace();
    let first = asked(&trace, ask(subject, &trace).await)?;
    let second = asked(&trace, ask(subject, &trace).await)?;
    for ((function, before), (_, after)) in first.into_iter().zip(second) {
        if before != after {
            return Err(Failure::new(
                format!("{function} answers as it did before: {before}"),
                after,
            ));
        }
    }
    Ok(Outcome::Passed)
}

pub(super) async fn accepts_defaults(subject: &Subject) -> Verdict {
    match subject.driver.validate(&with_defaults(subject)).await {
        Ok(_) => Ok(Outcome::Passed),
        Err(error) => Err(Failure::new(
            "every option may be given its default",
            error.to_string(),
        )),
    }
}

/// A value that no option of this kind can take.
fn wrong_value(kind: &OptionKind) -> Option<&'static str> {
    match kind {
        OptionKind::Boolean | OptionKind::Integer | OptionKind::Size | OptionKind::Duration => {
            Some("banana")
        }
        OptionKind::Choice(choices) => {
            (!choices.iter().any(|choice| choice == "banana")).then_some("banana")
        }
        _ => None,
    }
}

pub(super) async fn refuses_wrong_values(subject: &Subject) -> Verdict {
    let wrong: Vec<(&OptionSpec, &str)> = subject
        .descriptor
        .options
        .iter()
        .filter_map(|option| Some((option, wrong_value(&option.kind)?)))
        .collect();
    let mut options = subject.given.options.clone();
    options.retain(|(name, _)| !wrong.iter().any(|(option, _)| option.name == *name));
    for (option, value) in &wrong {
        options.push((option.name.clone(), (*value).to_owned()));
    }
    let unknown = "no-such-option";
    options.push((unknown.to_owned(), "1".to_owned()));
    let config = Config {
        options,
        ..subject.given.clone()
    };
    let expected = "every wrong value and every unknown option is refused by its name";
    let issues = match subject.driver.validate(&config).await {
        Err(DriverError::InvalidConfiguration { issues, .. }) => issues,
        Err(error) => return Err(Failure::new(expected, error.to_string())),
        Ok(_) => return Err(Failure::new(expected, "nothing was refused")),
    };
    let named = |name: &str| {
        issues
            .iter()
            .any(|issue| issue.subject.as_deref() == Some(name))
    };
    let missed: Vec<_> = wrong
        .iter()
        .map(|(option, value)| (option.name.as_str(), *value))
        .chain([(unknown, "1")])
        .filter(|(name, _)| !named(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if missed.is_empty() {
        Ok(Outcome::Passed)
    } else {
        Err(Failure::new(
            expected,
            format!("nobody minded {}", missed.join(", ")),
        ))
    }
}
