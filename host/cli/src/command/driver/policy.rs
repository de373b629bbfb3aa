//! `iechor driver policy`

use std::path::PathBuf;

use clap::Args;
use iechor_catalog::CatalogError;
use iechor_catalog::policy::{ORGANISATION, VARIABLE};
use iechor_catalog::view::{PolicyFile, PolicyRules};

use crate::command::Format;
use crate::table;
use crate::text::Text;

/// Show the policy for drivers, or check a policy file
#[derive(Debug, Args)]
pub struct Policy {
    /// Policy file to check (default: show the policy in force)
    file: Option<PathBuf>,
    /// Format the output: table, json, or a Go template such as '{{json .Files}}'
    #[arg(long, default_value = "table")]
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
        self.format.show(|| as_text(files), || &rules)
    }
}

fn as_text(files: &[PolicyFile]) -> Text {
    if files.is_empty() {
        return Text::of_line(&format!(
            "no policy: {ORGANISATION} does not exist, and {VARIABLE} is not set"
        ));
    }
    let mut shown = Text::default();
    for (number, file) in files.iter().enumerate() {
        if number > 0 {
            shown.line("");
        }
        shown.append(&text(file));
    }
    shown
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
