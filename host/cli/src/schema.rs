//! The JSON Schemas of what commands print with `--format json`, and of files that they write.
//!
//! They are derived from the views that the commands print, so they cannot differ from the output. The
//! test below compares the table with the commands.

use iechor_build::deliver::metadata::Metadata;
use iechor_build::deliver::view::BuildView;
use iechor_builder::view::{
    BuilderDetails, BuilderSummary, CacheRecord, CreatedBuilder, EngineObject, NetworkSummary,
    RemovedBuilder, StoppedBuilder, VolumeSummary,
};
use iechor_catalog::view::{DriverDetails, DriverSummary, PolicyRules, Trust, Verification};
use iechor_testkit::Report;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::command::VersionView;

/// A schema by the name of its command: the words after `iechor` with hyphens.
type Named = (&'static str, fn() -> Schema);

/// All schemas, by name.
const SCHEMAS: &[Named] = &[
    ("buildx-build", of::<BuildView>),
    ("buildx-create", of::<CreatedBuilder>),
    ("buildx-du", of::<CacheRecord>),
    ("buildx-inspect", of::<BuilderDetails>),
    ("buildx-ls", of::<BuilderSummary>),
    ("buildx-prune", of::<CacheRecord>),
    ("buildx-rm", of::<RemovedBuilder>),
    ("buildx-stop", of::<StoppedBuilder>),
    ("driver-inspect", of::<DriverDetails>),
    ("driver-ls", of::<DriverSummary>),
    ("driver-policy", of::<PolicyRules>),
    ("driver-test", of::<Report>),
    ("driver-trust", of::<Trust>),
    ("driver-verify", of::<Verification>),
    ("inspect", of::<EngineObject>),
    ("network-ls", of::<NetworkSummary>),
    ("version", of::<VersionView>),
    ("volume-ls", of::<VolumeSummary>),
];

/// The schemas of files that commands write, by name, with the command line.
const FILES: &[(Named, &str)] = &[(
    ("buildx-build-metadata", of::<Metadata>),
    "iechor buildx build --metadata-file FILE",
)];

/// Returns the names of all schemas, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = SCHEMAS.iter().map(|(name, _)| *name).collect();
    names.extend(FILES.iter().map(|((name, _), _)| *name));
    names.sort_unstable();
    names.into_iter()
}

/// Returns the schema of a name.
pub fn find(name: &str) -> Option<Schema> {
    let of_output = SCHEMAS.iter().find(|(known, _)| *known == name);
    let of_output = of_output.map(|(name, schema)| {
        let command = name.replace('-', " ");
        (schema, format!("iechor {command} --format json"))
    });
    let of_file = FILES.iter().find(|((known, _), _)| *known == name);
    let of_file = of_file.map(|((_, schema), line)| (schema, (*line).to_owned()));
    let (schema, title) = of_output.or(of_file)?;
    let mut schema = schema();
    schema.insert("title".to_owned(), title.into());
    Some(schema)
}

/// Returns the schema of a view as it is written, which is not always as it could be read.
fn of<View: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(unwrap_description))
        .into_generator()
        .into_root_schema_for::<View>()
}

/// Joins the lines of a description, which are the lines of a doc comment.
fn unwrap_description(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs = text.split("\n\n").map(|text| text.replace('\n', " "));
        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::command::Iechor;

    /// Adds the names of the commands with a flag `--format`.
    fn with_format(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        let mut flags = command.get_arguments();
        if flags.any(|flag| flag.get_long() == Some("format")) {
            found.push(path.trim_start_matches('-').to_owned());
        }
        for below in command.get_subcommands() {
            with_format(below, &format!("{path}-{}", below.get_name()), found);
        }
    }

    #[test]
    fn every_command_with_a_format_has_a_schema() {
        let mut found = Vec::new();
        with_format(&Iechor::command(), "", &mut found);
        found.sort();
        let known: Vec<_> = SCHEMAS.iter().map(|(name, _)| *name).collect();
        assert_eq!(known, found);
    }

    /// Calls `check` with each schema within a schema, and where it is.
    fn each(schema: &Value, path: &str, check: &mut impl FnMut(&str, &Value)) {
        match schema {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    for (name, property) in properties {
                        check(&format!("{path}/{name}"), property);
                    }
                }
                for (name, member) in members {
                    each(member, &format!("{path}/{name}"), check);
                }
            }
            Value::Array(members) => members.iter().for_each(|it| each(it, path, check)),
            _ => {}
        }
    }

    #[test]
    fn every_schema_is_of_draft_2020_12_and_describes_every_property() {
        let mut bare = Vec::new();
        for name in names() {
            let schema = find(name).expect("a schema").to_value();
            assert_eq!(
                schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
                "{name}"
            );
            assert!(schema["description"].is_string(), "{name}");
            each(&schema, name, &mut |path, property| {
                if !property["description"].is_string() {
                    bare.push(path.to_owned());
                }
            });
        }
        assert!(bare.is_empty(), "{bare:#?}");
    }
}
