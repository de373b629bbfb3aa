//! `iechor buildx ls`

use std::time::Duration;

use clap::Args;
use iechor_builder::view::{BuilderSummary, Incomplete, Listing, NodeDetails};
use iechor_values::duration;

use super::platforms;
use crate::command::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{failure, program, table, terminal};

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
            // A template without nodes needs no engine.
            let limit = self.format.may_show("Nodes").then_some(self.timeout);
            let listing = Listing::of(&workspace, limit).await?;
            if let Some(fault) = &listing.current_fault {
                terminal::warn(&fault.to_string());
            }
            let builders = &listing.builders;
            let mut complaints = Vec::new();
            self.format.list(
                || as_table(builders, self.no_trunc, &mut complaints),
                builders,
            )?;
            if !complaints.is_empty() {
                terminal::say("");
            }
            for complaint in complaints {
                terminal::say(&complaint);
            }
            if matches!(self.format, Format::Table) {
                failure::advise(&listing.faults);
            }
            Ok(())
        })
    }
}

/// Returns a message about what a boot left behind, with the command that removes it.
pub(super) fn incomplete(builder: &str, boot: &Incomplete) -> String {
    let left: Vec<_> = boot.left.iter().map(ToString::to_string).collect();
    format!(
        "{builder} is incomplete: a boot of node {} at {} may have left {} at {}; run `{} {builder}` to \
         remove it; the next command that uses {builder} removes it as well",
        boot.node,
        boot.since,
        left.join(", "),
        boot.endpoint,
        program::buildx("rm"),
    )
}

/// Returns the table; what is wrong with builders is added to `complaints`.
fn as_table(builders: &[BuilderSummary], whole: bool, complaints: &mut Vec<String>) -> Text {
    // Builders with errors come last; the others keep their order.
    let mut builders: Vec<_> = builders.iter().collect();
    builders.sort_by_key(|builder| builder.has_error());
    let header = [
        "NAME/NODE",
        "DRIVER/ENDPOINT",
        "STATUS",
        "BUILDKIT",
        "PLATFORMS",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for builder in builders {
        let name = &builder.name;
        let star = if builder.current { "*" } else { "" };
        if let Some(reason) = &builder.err {
            complaints.push(format!("Cannot load builder {name}: {reason}"));
        }
        let boots = builder.incomplete.iter();
        complaints.extend(boots.map(|boot| incomplete(name, boot)));
        let status = match &builder.err {
            _ if !builder.incomplete.is_empty() => "incomplete",
            Some(_) => "error",
            None => "",
        };
        rows.push(vec![
            format!("{name}{star}"),
            builder.driver.clone().unwrap_or_default(),
            status.into(),
            String::new(),
            String::new(),
        ]);
        for node in &builder.nodes {
            if let Some(error) = &node.err {
                complaints.push(format!(
                    "Failed to get status for {name} ({}): {error}",
                    node.name
                ));
            }
            rows.push(row(node, whole));
        }
    }
    table::render(&rows).without_trailing_spaces()
}

fn row(node: &NodeDetails, whole: bool) -> Vec<String> {
    let platforms = match whole {
        true => node.marked_platforms.join(", "),
        false => platforms::shorten(&node.marked_platforms),
    };
    vec![
        format!(" \\_ {}", node.name),
        format!(" \\_ {}", node.endpoint),
        node.status.name().to_owned(),
        node.version.clone().unwrap_or_default(),
        platforms,
    ]
}
