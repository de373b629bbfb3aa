//! The value of `--format`, and how listings and inspections are written.

use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::text::Text;
use crate::{template, terminal};

/// How a listing or an inspection is written.
#[derive(Debug, Clone)]
pub enum Format {
    /// A table or a text, for people.
    Table,
    /// JSON of a stable schema, for programs: an object, or a line for each row of a listing.
    Json,
    /// A Go template over the same data as JSON.
    Template(template::Format),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            text if text.contains("{{") => template::Format::parse(text)
                .map(Self::Template)
                .map_err(|error| error.to_string()),
            _ => Err("expected table, json, or a Go template such as '{{.Name}}'".into()),
        }
    }
}

impl Format {
    /// Returns whether a field of the data may be shown.
    pub fn may_show(&self, field: &str) -> bool {
        match self {
            Self::Table | Self::Json => true,
            Self::Template(template) => template.may_use(field),
        }
    }

    /// Prints a listing: `table` makes it for people, and `rows` has an object for each row.
    pub fn list<R: Serialize>(
        &self,
        table: impl FnOnce() -> Text,
        rows: impl IntoIterator<Item = R>,
    ) -> anyhow::Result<()> {
        let rows = || rows.into_iter().map(serde_json::to_value);
        match self {
            Self::Table => terminal::result(&table()),
            Self::Json => rows().try_for_each(|row| terminal::json(&row?)),
            Self::Template(template) => {
                let rows: Vec<Value> = rows().collect::<Result<_, _>>()?;
                terminal::result(&template.rows(&rows)?)
            }
        }
    }

    /// Prints an inspection: `text` makes it for people, and `object` for programs.
    pub fn show<T: Serialize>(
        &self,
        text: impl FnOnce() -> Text,
        object: impl FnOnce() -> T,
    ) -> anyhow::Result<()> {
        let object = || serde_json::to_value(object());
        match self {
            Self::Table => terminal::result(&text()),
            Self::Json => terminal::pretty_json(&object()?),
            Self::Template(template) => terminal::result(&template.object(&object()?)?),
        }
    }
}
