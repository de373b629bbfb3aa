//! `iechor driver policy`

use std::path::PathBuf;

use clap::Args;
use iechor_catalog::CatalogError;
use iechor_catalog::policy::{ORGANISATION, VARIABLE};
use iechor_catalog::view::{PolicyFile, PolicyRules};

use crate::command::Format;
use crate::text::Text;
use crate::{console, table};

/// Show the rules that drivers are under, or check the file of such rules
#[derive(Debug, Args)]
pub struct Policy {
    /// Only check this file, and show its rules
    file: Option<PathBuf>,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Policy {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let rules = match &self.file {
            Some(file) => PolicyRules::check(file),
            None => PolicyRules::in_force(),
        }
        .map_err(CatalogError::from)?;
        let files = &rules.files;
        match self.format {
            Format::Json => console::pretty_json(&serde_json::to_value(&rules)?),
            Format::Table if files.is_empty() => console::line(&format!(
                "no policy: there is no {ORGANISATION}, and {VARIABLE} names no file"
            )),
            Format::Table => {
                let mut shown = Text::default();
                for (number, file) in files.iter().enumerate() {
                    if number > 0 {
                        shown.line("");
                    }
                    shown.append(&text(file));
                }
                console::result(&shown)
            }
        }
    }
}

fn text(file: &PolicyFile) -> Text {
    let mut rows = Vec::new();
    for (rule, values) in file.rules.written() {
        let mut rule = format!("  {rule}");
        if values.is_empty() {
            rows.push(vec![rule, "none".to_owned()]);
            continue;
        }
        for value in values {
            rows.push(vec![std::mem::take(&mut rule), value.clone()]);
        }
    }
    let mut text = Text::of_line(&file.file.display().to_string());
    match rows.as_slice() {
        [] => text.line("  no rules"),
        rows => text.append(&table::render(rows)),
    }
    text
}
