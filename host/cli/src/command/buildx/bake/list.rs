//! `--list`: the targets or the variables of a definition.

use anyhow::bail;
use iechor_bake::{Definition, print};
use iechor_values::csv;
use serde::Serialize;

use crate::{table, terminal};

/// What is listed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    kind: Kind,
    is_json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Targets,
    Variables,
}

/// A target or a group in JSON.
#[derive(Serialize)]
struct Target {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    group: bool,
}

/// A variable in JSON.
#[derive(Serialize)]
struct Variable {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl List {
    /// Parses `TYPE` or `type=TYPE,format=FORMAT`. The texts are those of docker buildx.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let fields = csv::fields(text)?;
        let (mut kind, mut format) = (String::new(), "table".to_owned());
        match fields.as_slice() {
            [only] if only == text && !text.contains('=') => only.clone_into(&mut kind),
            fields => {
                for field in fields {
                    let Some((name, value)) = field.split_once('=') else {
                        bail!("invalid value {field}");
                    };
                    match name.trim().to_lowercase().as_str() {
                        "type" => value.clone_into(&mut kind),
                        "format" => value.clone_into(&mut format),
                        name => bail!("unexpected key '{name}' in '{field}'"),
                    }
                }
            }
        }
        let kind = match kind.as_str() {
            "targets" => Kind::Targets,
            "variables" => Kind::Variables,
            kind => bail!("invalid list type {kind:?}"),
        };
        let is_json = match format.as_str() {
            "table" => false,
            "json" => true,
            format => bail!("invalid list format {format:?}"),
        };
        Ok(Self { kind, is_json })
    }

    /// Prints the list.
    pub(super) fn print(self, definition: &Definition) -> anyhow::Result<()> {
        match self.kind {
            Kind::Targets => self.targets(definition),
            Kind::Variables => self.variables(definition),
        }
    }

    fn targets(self, definition: &Definition) -> anyhow::Result<()> {
        let targets = print::targets(definition).into_iter().map(|listed| Target {
            name: listed.name,
            description: listed.description.filter(|text| !text.is_empty()),
            group: listed.is_group,
        });
        let targets: Vec<_> = targets.collect();
        if self.is_json {
            return terminal::pretty_json(&targets);
        }
        let mut rows = vec![row(["TARGET", "DESCRIPTION"])];
        for target in &targets {
            rows.push(row([
                &target.name,
                target.description.as_deref().unwrap_or_default(),
            ]));
        }
        terminal::result(&table::render(&rows).without_trailing_spaces())
    }

    fn variables(self, definition: &Definition) -> anyhow::Result<()> {
        let variables = definition
            .variables
            .iter()
            .flatten()
            .map(|variable| Variable {
                name: variable.name.clone(),
                description: variable.description.clone(),
                kind: variable.kind.clone(),
                value: variable.value.clone(),
            });
        let variables: Vec<_> = variables.collect();
        if self.is_json {
            return terminal::pretty_json(&variables);
        }
        let mut rows = vec![row(["VARIABLE", "TYPE", "VALUE", "DESCRIPTION"])];
        for variable in &variables {
            rows.push(row([
                &variable.name,
                variable.kind.as_deref().unwrap_or_default(),
                variable.value.as_deref().unwrap_or("<null>"),
                variable.description.as_deref().unwrap_or_default(),
            ]));
        }
        terminal::result(&table::render(&rows).without_trailing_spaces())
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_a_type_and_a_format() {
        let list = |kind, is_json| List { kind, is_json };
        for (text, expected) in [
            ("targets", Ok(list(Kind::Targets, false))),
            (
                "type=variables,format=json",
                Ok(list(Kind::Variables, true)),
            ),
            ("type=targets", Ok(list(Kind::Targets, false))),
            ("builds", Err("invalid list type \"builds\"")),
            (
                "type=targets,format=xml",
                Err("invalid list format \"xml\""),
            ),
            ("type=targets,foo=1", Err("unexpected key 'foo' in 'foo=1'")),
            ("targets,format=json", Err("invalid value targets")),
        ] {
            let found = List::parse(text).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
