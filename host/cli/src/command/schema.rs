//! `iechor schema`

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::schema;
use crate::terminal;
use crate::text::Text;

/// Show the JSON Schema of the output of a command with --format json
///
/// The schema describes one JSON document. A command that lists objects prints one document on each
/// line.
#[derive(Debug, Args)]
pub struct Schema {
    /// Name of the schema: the words of the command with hyphens (default: list the names)
    #[arg(value_parser = PossibleValuesParser::new(schema::names()), hide_possible_values = true)]
    name: Option<String>,
}

impl Schema {
    /// Prints the schema, or the names of all schemas.
    pub fn run(self) -> anyhow::Result<()> {
        match self.name.as_deref().and_then(schema::find) {
            Some(schema) => terminal::pretty_json(&schema),
            None => {
                let mut names = Text::default();
                schema::names().for_each(|name| names.line(name));
                terminal::result(&names)
            }
        }
    }
}
