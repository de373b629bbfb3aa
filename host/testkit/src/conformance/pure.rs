//! `describe`, `priority` and `validate`.

use std::sync::Arc;

use iechor_sandbox::contract::{Config, OptionKind, OptionSpec};
use iechor_sandbox::{Driver, DriverError, Observer};

use super::configured::with_defaults;
use super::soundness::description_faults;
use super::{Outcome, Verdict};
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::{Trace, failure_kind};

/// What pure functions may call: it has no effect on anything that lasts.
const HARMLESS: [&str; 2] = ["log.", "clock."];

pub(super) async fn describe_is_sound(subject: &Subject) -> Verdict {
    let faults = description_faults(&subject.descriptor);
    if faults.is_empty() {
        Ok(Outcome::Passed)
    } else {
        Err(Failure::new("a sound description", faults.join("; ")))
    }
}

/// Returns the answers of all pure functions, in a fresh instance each.
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

/// Returns a value that no option of this kind can take.
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
