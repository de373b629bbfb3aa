//! `iechor buildx inspect`

use std::time::Duration;

use clap::Args;
use iechor_builder::lifecycle;
use iechor_builder::selection::Chosen;
use iechor_builder::store::StoredBuilder;
use iechor_builder::view::{BuilderDetails, CleanupRule, Inspection, NodeDetails};
use iechor_values::{duration, size};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ls;
use crate::command::Format;
use crate::failure;
use crate::session::{self, Common};
use crate::table;
use crate::terminal::{self, Display};
use crate::text::Text;

/// Show a builder and its nodes
#[derive(Debug, Args)]
pub struct Inspect {
    /// Builder name (default: the current builder)
    name: Option<String>,
    /// Boot the builder before inspecting it
    #[arg(long)]
    bootstrap: bool,
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
    /// Time that each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Inspect {
    /// Boots the builder with `--bootstrap`, and prints it.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let stored = match workspace.select(self.name.as_deref())? {
                Chosen::Stored(stored) => stored,
                chosen @ Chosen::Context(_) => StoredBuilder {
                    group: chosen.group(),
                    last_activity: None,
                },
            };
            if self.bootstrap {
                let display = Display::start(terminal::boot_mode()?, None)?;
                let booted = lifecycle::boot(&workspace, &stored.group, display.sender()).await;
                display.finish().await?;
                booted?;
            }
            let inspection = Inspection::of(&workspace, &stored, self.timeout).await?;
            let builder = &inspection.builder;
            self.format.show(|| text(builder), || builder)?;
            if matches!(self.format, Format::Table) {
                for boot in &builder.incomplete {
                    terminal::warn(&ls::incomplete(&builder.name, boot));
                }
            }
            failure::advise(&inspection.faults);
            Ok(())
        })
    }
}

/// Returns a time in RFC 3339 as docker buildx prints it.
fn shown_time(text: &str) -> Option<String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let (hour, minute, second) = time.to_hms();
    let date = time.date();
    Some(format!(
        "{date} {hour:02}:{minute:02}:{second:02} +0000 UTC"
    ))
}

fn text(builder: &BuilderDetails) -> Text {
    let mut rows = vec![
        field("Name", &builder.name),
        field("Driver", &builder.driver),
    ];
    if let Some(digest) = &builder.driver_digest {
        rows.push(field("Driver Digest", digest));
    }
    if let Some(time) = builder.last_activity.as_deref().and_then(shown_time) {
        rows.push(field("Last Activity", &time));
    }
    if !builder.incomplete.is_empty() {
        rows.push(field("Status", "incomplete"));
    }
    let mut text = table::fields(&rows);
    text.line("");
    text.line("Nodes:");
    for (number, node) in builder.nodes.iter().enumerate() {
        if number > 0 {
            text.line("");
        }
        text.append(&node_text(node));
    }
    text
}

fn field(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn node_text(node: &NodeDetails) -> Text {
    let mut rows = vec![field("Name", &node.name), field("Endpoint", &node.endpoint)];
    if !node.driver_opts.is_empty() {
        let options: Vec<_> = node
            .driver_opts
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{key}={value:?}"),
                None => format!("{key}=(not shown)"),
            })
            .collect();
        rows.push(field("Driver Options", &options.join(" ")));
    }
    if let Some(error) = &node.err {
        rows.push(field("Error", error));
        return table::fields(&rows);
    }
    rows.push(field("Status", node.status.name()));
    if !node.flags.is_empty() {
        rows.push(field("BuildKit daemon flags", &node.flags.join(" ")));
    }
    if let Some(version) = &node.version {
        rows.push(field("BuildKit version", version));
    }
    if !node.marked_platforms.is_empty() {
        rows.push(field("Platforms", &node.marked_platforms.join(", ")));
    }
    let mut text = table::fields(&rows);
    for worker in &node.workers {
        if !worker.labels.is_empty() {
            text.line("Labels:");
            let rows: Vec<_> = worker
                .labels
                .iter()
                .map(|(key, value)| (format!(" {key}"), value.clone()))
                .collect();
            text.append(&table::fields(&rows));
        }
        for (number, rule) in worker.cleanup_rules.iter().enumerate() {
            text.line(&format!("GC Policy rule#{number}:"));
            text.append(&table::fields(&rule_rows(rule)));
        }
    }
    for file in &node.file_contents {
        text.line(&format!("File#{}:", file.path));
        match &file.text {
            Some(contents) => {
                for line in contents.lines() {
                    text.line(&format!(" > {line}"));
                }
            }
            None => text.line(" > (a private key, not shown)"),
        }
    }
    text
}

fn rule_rows(rule: &CleanupRule) -> Vec<(String, String)> {
    let mut rows = vec![field(" All", &rule.all.to_string())];
    if !rule.filters.is_empty() {
        rows.push(field(" Filters", &rule.filters.join(",")));
    }
    if let Some(seconds) = rule.keep_seconds {
        rows.push(field(" Keep Duration", &format!("{seconds}s")));
    }
    for (name, bytes) in [
        (" Reserved Space", rule.reserved_space),
        (" Max Used Space", rule.max_used_space),
        (" Min Free Space", rule.min_free_space),
    ] {
        if bytes > 0 {
            rows.push(field(name, &size::binary(bytes.unsigned_abs())));
        }
    }
    rows
}
