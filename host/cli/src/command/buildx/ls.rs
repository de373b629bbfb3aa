//! `iechor buildx ls`

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use iechor_builder::BuilderError;
use iechor_builder::lifecycle::{self, Ask, NodeReport};
use iechor_builder::store::{Progress, Remnant, StoredBuilder, Unfinished};
use iechor_sandbox::contract::Status;
use iechor_values::duration;
use serde_json::{Value, json};

use super::platforms;
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{failure, table, terminal};

/// List builders
#[derive(Debug, Args)]
pub struct Ls {
    /// Format the output: table, json, or a Go template such as '{{.Name}}'
    #[arg(long, default_value = "table")]
    format: Format,
    /// Do not truncate the list of platforms
    #[arg(long)]
    no_trunc: bool,
    /// Time that each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Ls {
    /// Asks all nodes at the same time, and prints the list.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::query(common, |workspace| async move {
            let state = workspace.store.read()?;
            // List the builders even if the current one does not exist.
            let current = match workspace.select(None) {
                Ok(selection) => selection.chosen.name().to_owned(),
                Err(error) => {
                    terminal::warn(&error.to_string());
                    String::new()
                }
            };
            let mut found: Vec<(String, Result<StoredBuilder, String>)> = state
                .builders()
                .map(|(name, stored)| {
                    let stored = stored.cloned().map_err(ToString::to_string);
                    (name.to_owned(), stored)
                })
                .collect();
            // The builders of contexts come last, as in docker buildx.
            found.extend(
                workspace
                    .context_builders(&state)?
                    .into_iter()
                    .map(|group| {
                        let stored = StoredBuilder {
                            group,
                            last_activity: None,
                        };
                        (stored.group.name.clone(), Ok(stored))
                    }),
            );
            let unfinished = workspace.store.unfinished()?;
            let (workspace, current, timeout) = (&workspace, &current, self.timeout);
            let listed = join_all(found.into_iter().map(|(name, stored)| async move {
                let nodes = match &stored {
                    Ok(stored) => {
                        let group = &stored.group;
                        lifecycle::report(workspace, group, Ask::DriverIfKnown, timeout).await
                    }
                    Err(_) => Vec::new(),
                };
                Listed {
                    unfinished: Vec::new(),
                    current: stored.as_ref().is_ok_and(|s| s.group.name == *current),
                    name,
                    stored,
                    nodes,
                }
            }))
            .await;
            let listed = with_unfinished(listed, unfinished);
            let mut complaints = Vec::new();
            self.format.list(
                || as_table(&listed, self.no_trunc, &mut complaints),
                listed.iter().map(as_json),
            )?;
            if !complaints.is_empty() {
                terminal::say("");
            }
            for complaint in complaints {
                terminal::say(&complaint);
            }
            if matches!(self.format, Format::Table) {
                let reports = listed.iter().flat_map(|builder| &builder.nodes);
                failure::advise(reports.filter_map(|report| report.state.as_ref().err()));
            }
            Ok(())
        })
    }
}

struct Listed {
    name: String,
    current: bool,
    stored: Result<StoredBuilder, String>,
    nodes: Vec<NodeReport>,
    /// What boots of the builder left behind.
    unfinished: Vec<Unfinished>,
}

/// Adds what boots left behind to the builders. A builder that is not in the store any more gets an
/// entry of its own.
fn with_unfinished(mut listed: Vec<Listed>, unfinished: Vec<Unfinished>) -> Vec<Listed> {
    for record in unfinished {
        if record.progress == Progress::Underway {
            continue;
        }
        let of_it = |builder: &&mut Listed| record.is_of(&builder.name);
        match listed.iter_mut().find(of_it) {
            Some(builder) => builder.unfinished.push(record),
            None => listed.push(Listed {
                name: record.purpose.builder.clone(),
                current: false,
                stored: Err("it is not in the store any more".into()),
                nodes: Vec::new(),
                unfinished: vec![record],
            }),
        }
    }
    listed
}

/// Returns a message about what a boot left behind, with the command that removes it.
pub(super) fn incomplete(builder: &str, record: &Unfinished) -> String {
    let remnants: Vec<_> = record.remnants.iter().map(Remnant::with_reason).collect();
    format!(
        "{builder} is incomplete: a boot of node {} at {} may have left {} at {}; run `iechor buildx rm \
         {builder}` to remove it; the next command that uses {builder} removes it as well",
        record.purpose.node,
        record.since,
        remnants.join(", "),
        record.purpose.endpoint,
    )
}

/// Returns what boots left behind as JSON.
pub(super) fn incomplete_json(unfinished: &[Unfinished]) -> Value {
    unfinished
        .iter()
        .map(|record| {
            json!({
                "Node": record.purpose.node,
                "Endpoint": record.purpose.endpoint,
                "Operation": record.operation,
                "Since": record.since,
                "Left": record.remnants,
            })
        })
        .collect::<Vec<_>>()
        .into()
}

impl Listed {
    fn has_error(&self) -> bool {
        self.stored.is_err() || self.nodes.iter().any(|node| node.state.is_err())
    }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Inactive => "inactive",
        Status::Starting => "starting",
        Status::Running => "running",
        Status::Stopping => "stopping",
        Status::Stopped => "stopped",
    }
}

/// Returns the table; what is wrong with builders is added to `complaints`.
fn as_table(listed: &[Listed], whole: bool, complaints: &mut Vec<String>) -> Text {
    // Builders with errors come last; the others keep their order.
    let mut listed: Vec<_> = listed.iter().collect();
    listed.sort_by_key(|builder| builder.has_error());
    let header = [
        "NAME/NODE",
        "DRIVER/ENDPOINT",
        "STATUS",
        "BUILDKIT",
        "PLATFORMS",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for builder in listed {
        let star = if builder.current { "*" } else { "" };
        let (name, driver, status) = match &builder.stored {
            Ok(stored) => (&stored.group.name, stored.group.driver.as_str(), ""),
            Err(reason) => {
                complaints.push(format!("Cannot load builder {}: {reason}", builder.name));
                (&builder.name, "", "error")
            }
        };
        let status = match builder.unfinished.as_slice() {
            [] => status,
            records => {
                complaints.extend(records.iter().map(|record| incomplete(name, record)));
                "incomplete"
            }
        };
        rows.push(vec![
            format!("{name}{star}"),
            driver.into(),
            status.into(),
            String::new(),
            String::new(),
        ]);
        for report in &builder.nodes {
            let (status, version, names) = match &report.state {
                Ok(state) => (
                    status_name(state.status),
                    state.version.clone().unwrap_or_default(),
                    platforms::list(&report.node.platforms, &state.workers),
                ),
                Err(error) => {
                    complaints.push(complaint(&builder.name, report, error));
                    ("error", String::new(), Vec::new())
                }
            };
            let names = if whole {
                names.join(", ")
            } else {
                platforms::shorten(&names)
            };
            rows.push(vec![
                format!(" \\_ {}", report.node.name),
                format!(" \\_ {}", report.node.endpoint),
                status.into(),
                version,
                names,
            ]);
        }
    }
    table::render(&rows).without_trailing_spaces()
}

fn complaint(builder: &str, report: &NodeReport, error: &BuilderError) -> String {
    format!(
        "Failed to get status for {builder} ({}): {error}",
        report.node.name
    )
}

fn as_json(builder: &Listed) -> Value {
    let mut object = json!({
        "Name": builder.name,
        "Current": builder.current,
        "Driver": Value::Null,
        "Dynamic": Value::Null,
        "LastActivity": Value::Null,
        "Nodes": [],
        "Err": Value::Null,
    });
    match &builder.stored {
        Ok(stored) => {
            object["Name"] = json!(stored.group.name);
            object["Driver"] = json!(stored.group.driver);
            object["Dynamic"] = json!(stored.group.dynamic);
            object["LastActivity"] = json!(super::inspect::last_activity_rfc3339(stored));
            object["Nodes"] = builder
                .nodes
                .iter()
                .map(super::inspect::node_json)
                .collect::<Vec<_>>()
                .into();
        }
        Err(reason) => object["Err"] = json!(reason),
    }
    object["Incomplete"] = incomplete_json(&builder.unfinished);
    object
}
