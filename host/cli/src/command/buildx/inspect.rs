//! `iechor buildx inspect`

use std::time::Duration;

use clap::Args;
use iechor_builder::lifecycle;
use iechor_builder::selection::Chosen;
use iechor_builder::store::StoredBuilder;
use iechor_builder::view::{BuilderDetails, CleanupRule, DeviceDetails, Inspection, NodeDetails};
use iechor_values::{duration, size};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ls;
use crate::command::Format;
use crate::failure;
use crate::program;
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
        // As in docker buildx.
        let with_features = program::settings().debug;
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
            self.format
                .show(|| text(builder, with_features), || builder)?;
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

fn text(builder: &BuilderDetails, with_features: bool) -> Text {
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
        text.append(&node_text(node, with_features));
    }
    text
}

fn field(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn node_text(node: &NodeDetails, with_features: bool) -> Text {
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
    if let Some(end) = &node.last_end {
        rows.push(field("Last run", &end.words));
    }
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
    if with_features && !node.features.is_empty() {
        let features = node.features.iter();
        let features =
            features.map(|(name, is_supported)| (name.clone(), is_supported.to_string()));
        text.append(&section("Features", features));
    }
    if !node.labels.is_empty() {
        text.append(&section("Labels", node.labels.clone()));
    }
    if !node.devices.is_empty() {
        text.line("Devices:");
        node.devices
            .iter()
            .for_each(|device| text.append(&device_text(device)));
    }
    for (number, rule) in node.cleanup_rules.iter().enumerate() {
        text.line(&format!("GC Policy rule#{number}:"));
        text.append(&table::fields(&rule_rows(rule)));
    }
    for file in &node.file_contents {
        text.line(&format!("File#{}:", file.path));
        match &file.text {
            Some(contents) => {
                // As in docker buildx, a line feed at the end begins another line.
                for line in contents.split('\n') {
                    text.line(&format!(" > {line}"));
                }
            }
            None => text.line(&format!(
                " > (a private key of {} bytes, not shown)",
                file.size
            )),
        }
    }
    text
}

/// Returns values with their names, below a title.
fn section(title: &str, values: impl IntoIterator<Item = (String, String)>) -> Text {
    let mut text = Text::of_line(&format!("{title}:"));
    let rows: Vec<_> = values
        .into_iter()
        .map(|(name, value)| (format!(" {name}"), value))
        .collect();
    text.append(&table::fields(&rows));
    text
}

fn device_text(device: &DeviceDetails) -> Text {
    // docker buildx prints one of the two.
    let access = match device.on_demand {
        true => field(" On-Demand", "true"),
        false => field(" Automatically allowed", &device.auto_allow.to_string()),
    };
    let mut text = table::fields(&[field(" Name", &device.name), access]);
    if !device.annotations.is_empty() {
        text.line(" Annotations:");
        let annotations = device.annotations.iter();
        let rows: Vec<_> = annotations
            .map(|(name, value)| field(&format!("  {name}"), value))
            .collect();
        text.append(&table::fields(&rows));
    }
    text
}

fn rule_rows(rule: &CleanupRule) -> Vec<(String, String)> {
    let mut rows = vec![field(" All", &rule.all.to_string())];
    if !rule.filters.is_empty() {
        rows.push(field(" Filters", &rule.filters.join(",")));
    }
    let keep = Duration::from_nanos(rule.keep_duration).as_secs();
    if keep > 0 {
        rows.push(field(" Keep Duration", &duration::exact(keep)));
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
