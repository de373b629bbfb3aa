//! `iechor driver policy`

use std::path::PathBuf;

use clap::Args;
use iechor_builder::BuilderError;
use iechor_builder::policy::{self, ORGANISATION, Places, VARIABLE};
use iechor_sandbox::policy::Rules;

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
        let files = match &self.file {
            Some(file) => vec![policy::read(file).map_err(BuilderError::from)?],
            None => {
                let policy = Places::from_process().load().map_err(BuilderError::from)?;
                policy.files
            }
        };
        self.format.show(
            || {
                let mut shown = Text::default();
                if files.is_empty() {
                    shown.line(&format!(
                        "no policy: {ORGANISATION} does not exist, and {VARIABLE} is not set"
                    ));
                }
                for (number, rules) in files.iter().enumerate() {
                    if number > 0 {
                        shown.line("");
                    }
                    shown.append(&text(rules));
                }
                shown
            },
            || {
                let files: Vec<_> = files.iter().map(json).collect();
                serde_json::json!({ "Files": files })
            },
        )
    }
}

/// Returns each rule with its values.
fn written(rules: &Rules) -> Vec<(String, Vec<String>)> {
    fn list<T: ToString>(patterns: &[T]) -> Vec<String> {
        patterns.iter().map(T::to_string).collect()
    }
    let mut written = Vec::new();
    if let Some(drivers) = &rules.drivers {
        written.push(("drivers.allow".to_owned(), list(drivers)));
    }
    if let Some(images) = &rules.images {
        written.push(("images.allow".to_owned(), list(images)));
    }
    if !rules.forbidden.is_empty() {
        written.push(("grants.forbid".to_owned(), list(&rules.forbidden)));
    }
    for (name, value) in rules.limits.written() {
        written.push((format!("limits.{name}"), vec![value]));
    }
    written
}

fn text(rules: &Rules) -> Text {
    let mut rows = Vec::new();
    for (rule, values) in written(rules) {
        let mut rule = format!("  {rule}");
        if values.is_empty() {
            rows.push(vec![rule, "none".to_owned()]);
            continue;
        }
        for value in values {
            rows.push(vec![std::mem::take(&mut rule), value]);
        }
    }
    let mut text = Text::of_line(&rules.file.display().to_string());
    match rows.as_slice() {
        [] => text.line("  no rules"),
        rows => text.append(&table::render(rows)),
    }
    text
}

fn json(rules: &Rules) -> serde_json::Value {
    let rules_of_file: serde_json::Map<_, _> = written(rules)
        .into_iter()
        .map(|(rule, values)| (rule, values.into()))
        .collect();
    serde_json::json!({
        "File": rules.file,
        "Rules": rules_of_file,
    })
}
