//! The command that repeats a test.

use std::path::Path;

use iechor_sandbox::{Grant, Source};

use crate::kit::Kit;

/// Returns the command that runs a driver's tests.
pub(crate) fn all(kit: &Kit) -> String {
    format!("iechor driver test {}", word(kit.driver.name()))
}

/// Returns the command that runs only one test, which may be that of a scenario.
pub(crate) fn only(kit: &Kit, name: &str, scenario: Option<&Path>) -> String {
    let mut command = all(kit);
    if kit.real.is_some() {
        command += " --engine real";
    }
    if let Some(real) = &kit.real
        && *kit.driver.source() != Source::Embedded
    {
        for grant in &real.granted {
            for flag in flags(grant) {
                command += &format!(" --grant {}", word(&flag));
            }
        }
    }
    for (name, value) in &kit.options {
        command += &format!(" --driver-opt {}", word(&format!("{name}={value}")));
    }
    if let Some(endpoint) = &kit.endpoint {
        command += &format!(" --endpoint {}", word(endpoint));
    }
    if let Some(scenario) = scenario {
        command += &format!(" --scenario {}", word(&scenario.display().to_string()));
    }
    command + &format!(" --only {}", word(name))
}

/// Returns the values of the flag for a grant: one for each pattern.
fn flags(grant: &Grant) -> Vec<String> {
    match grant.scope.as_slice() {
        [] => vec![grant.name.clone()],
        scope => scope
            .iter()
            .map(|pattern| format!("{}={pattern}", grant.name))
            .collect(),
    }
}

/// Returns a word, quoted for a shell if necessary.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
