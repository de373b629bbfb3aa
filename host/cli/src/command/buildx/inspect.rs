//! `iechor buildx inspect`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use iechor_builder::buildkitd_config;
use iechor_builder::lifecycle::{self, Ask, NodeReport};
use iechor_builder::selection::Chosen;
use iechor_builder::store::{StoredBuilder, Unfinished};
use iechor_progress::Mode;
use iechor_values::{duration, size};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ls, platforms};
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
            let stored = match workspace.select(self.name.as_deref())?.chosen {
                Chosen::Stored(stored) => stored,
                chosen @ Chosen::Context(_) => StoredBuilder {
                    group: chosen.group(),
                    last_activity: None,
                },
            };
            if self.bootstrap {
                let display = Display::start(Mode::Auto, None)?;
                let booted = lifecycle::boot(&workspace, &stored.group, display.sender()).await;
                display.finish().await?;
                booted?;
            }
            let nodes =
                lifecycle::report(&workspace, &stored.group, Ask::Daemon, self.timeout).await;
            let unfinished = workspace.store.unfinished_of(&stored.group.name)?;
            self.format.show(
                || text(&stored, &nodes, &unfinished),
                || as_json(&stored, &nodes, &unfinished),
            )?;
            if matches!(self.format, Format::Table) {
                for record in &unfinished {
                    terminal::warn(&ls::incomplete(&stored.group.name, record));
                }
            }
            failure::advise(nodes.iter().filter_map(|node| node.state.as_ref().err()));
            Ok(())
        })
    }
}

fn last_activity(stored: &StoredBuilder) -> Option<OffsetDateTime> {
    stored.last_activity.map(OffsetDateTime::from)
}

/// Returns the time of the last use of the builder, in RFC 3339.
pub(super) fn last_activity_rfc3339(stored: &StoredBuilder) -> Option<String> {
    last_activity(stored)?.format(&Rfc3339).ok()
}

fn text(stored: &StoredBuilder, nodes: &[NodeReport], unfinished: &[Unfinished]) -> Text {
    let group = &stored.group;
    let mut rows = vec![field("Name", &group.name), field("Driver", &group.driver)];
    if let Some(digest) = &group.driver_digest {
        rows.push(field("Driver Digest", digest));
    }
    if let Some(time) = last_activity(stored) {
        let date = time.date();
        let (hour, minute, second) = time.to_hms();
        let shown = format!("{date} {hour:02}:{minute:02}:{second:02} +0000 UTC");
        rows.push(field("Last Activity", &shown));
    }
    if !unfinished.is_empty() {
        rows.push(field("Status", "incomplete"));
    }
    let mut text = table::fields(&rows);
    text.line("");
    text.line("Nodes:");
    for (number, report) in nodes.iter().enumerate() {
        if number > 0 {
            text.line("");
        }
        text.append(&node_text(report));
    }
    text
}

fn field(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn node_text(report: &NodeReport) -> Text {
    let node = &report.node;
    let mut rows = vec![field("Name", &node.name), field("Endpoint", &node.endpoint)];
    if !report.options.is_empty() {
        let options: Vec<_> = report
            .options
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{key}={value:?}"),
                None => format!("{key}=(not shown)"),
            })
            .collect();
        rows.push(field("Driver Options", &options.join(" ")));
    }
    let state = match &report.state {
        Ok(state) => state,
        Err(error) => {
            rows.push(field("Error", &error.to_string()));
            return table::fields(&rows);
        }
    };
    rows.push(field("Status", ls::status_name(state.status)));
    if !node.flags.is_empty() {
        rows.push(field("BuildKit daemon flags", &node.flags.join(" ")));
    }
    if let Some(version) = &state.version {
        rows.push(field("BuildKit version", version));
    }
    let names = platforms::list(&node.platforms, &state.workers);
    if !names.is_empty() {
        rows.push(field("Platforms", &names.join(", ")));
    }
    let mut text = table::fields(&rows);
    for worker in &state.workers {
        if !worker.labels.is_empty() {
            text.line("Labels:");
            let rows: Vec<_> = worker
                .labels
                .iter()
                .map(|(key, value)| (format!(" {key}"), value.clone()))
                .collect();
            text.append(&table::fields(&rows));
        }
        for (number, policy) in worker.gc_policy.iter().enumerate() {
            text.line(&format!("GC Policy rule#{number}:"));
            text.append(&table::fields(&policy_rows(policy)));
        }
    }
    for (path, contents) in &node.files {
        text.line(&format!("File#{path}:"));
        // A file that only its owner may read is not shown.
        if buildkitd_config::mode(&node.files, path) & 0o077 == 0 {
            text.line(" > (a private key, not shown)");
        } else {
            for line in String::from_utf8_lossy(contents).lines() {
                text.line(&format!(" > {line}"));
            }
        }
    }
    text
}

fn policy_rows(policy: &iechor_buildkit::GcPolicy) -> Vec<(String, String)> {
    let mut rows = vec![field(" All", &policy.all.to_string())];
    if !policy.filters.is_empty() {
        rows.push(field(" Filters", &policy.filters.join(",")));
    }
    if !policy.keep_duration.is_zero() {
        rows.push(field(
            " Keep Duration",
            &format!("{}s", policy.keep_duration.as_secs()),
        ));
    }
    for (name, bytes) in [
        (" Reserved Space", policy.reserved_space),
        (" Max Used Space", policy.max_used_space),
        (" Min Free Space", policy.min_free_space),
    ] {
        if bytes > 0 {
            rows.push(field(name, &size::binary(bytes.unsigned_abs())));
        }
    }
    rows
}

fn as_json(stored: &StoredBuilder, nodes: &[NodeReport], unfinished: &[Unfinished]) -> Value {
    json!({
        "Name": stored.group.name,
        "Driver": stored.group.driver,
        "DriverDigest": stored.group.driver_digest,
        "Dynamic": stored.group.dynamic,
        "LastActivity": last_activity_rfc3339(stored),
        "Nodes": nodes.iter().map(node_json).collect::<Vec<_>>(),
        "Incomplete": ls::incomplete_json(unfinished),
    })
}

/// Returns a node as JSON. It has the names of files but not their contents, which may be keys; a
/// secret option is `null`.
pub(super) fn node_json(report: &NodeReport) -> Value {
    let node = &report.node;
    let mut object = json!({
        "Name": node.name,
        "Endpoint": node.endpoint,
        "Flags": node.flags,
        "DriverOpts": report.options.iter().cloned().collect::<BTreeMap<_, _>>(),
        "Files": node.files.keys().collect::<Vec<_>>(),
        "Version": Value::Null,
        "IDs": [],
        "Platforms": [],
        "Err": Value::Null,
    });
    match &report.state {
        Ok(state) => {
            object["Status"] = json!(ls::status_name(state.status));
            object["Version"] = json!(state.version);
            object["IDs"] = json!(state.workers.iter().map(|w| &w.id).collect::<Vec<_>>());
            object["Platforms"] = platforms::list(&node.platforms, &state.workers)
                .iter()
                .map(|name| name.trim_end_matches('*'))
                .collect::<Vec<_>>()
                .into();
        }
        Err(error) => {
            object["Status"] = json!("error");
            object["Err"] = json!(error.to_string());
        }
    }
    object
}
