//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::definition::{File, Input};
use crate::{Definition, Environment, print};

/// Surroundings without anything.
struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }

    fn home(&self) -> Option<String> {
        None
    }
}

/// Reads a definition in HCL, or in JSON if the text begins with a brace, and prints all its targets. What is
/// printed is a definition.
pub fn definitions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some(printed) = printed("docker-bake", text) else {
        return;
    };
    assert!(
        self::printed("docker-bake.json", &printed).is_some(),
        "{printed}"
    );
}

fn printed(name: &str, text: &str) -> Option<String> {
    let file = File {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let none = BTreeMap::new();
    let definition = Definition::read(&Input {
        files: &[file],
        variables: &none,
        constants: &none,
        uses_environment: false,
        environment: &Nothing,
    });
    let definition = definition.ok()?;
    print::targets(&definition);
    let all: Vec<String> = definition
        .targets
        .iter()
        .map(|target| target.name.clone())
        .collect();
    let selection = definition.select(&all, &[], &|_| None).ok()?;
    Some(print::selection(&selection))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn definitions() {
        seeds::run("definitions", 60, super::definitions);
    }
}
