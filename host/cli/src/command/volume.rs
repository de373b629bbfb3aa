//! `iechor volume`

use clap::{Args, Subcommand};
use iechor_builder::view::VolumeSummary;

use super::Format;
use crate::session::{self, Common};
use crate::table;
use crate::text::Text;

/// List volumes of the engine
#[derive(Debug, Args)]
pub struct Volume {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List volumes
    Ls {
        /// Format the output: table, json, or a Go template such as '{{.Name}}'
        #[arg(long, default_value = "table")]
        format: Format,
    },
}

impl Volume {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let Command::Ls { format } = self.command;
        session::query(&Common::default(), |workspace| async move {
            let volumes = VolumeSummary::all(&workspace).await?;
            format.list(|| as_table(&volumes), &volumes)
        })
    }
}

fn as_table(volumes: &[VolumeSummary]) -> Text {
    let mut rows = vec![vec!["DRIVER".to_owned(), "VOLUME NAME".to_owned()]];
    let volumes = volumes.iter();
    rows.extend(volumes.map(|volume| vec![volume.driver.clone(), volume.name.clone()]));
    table::render(&rows)
}
