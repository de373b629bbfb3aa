//! `iechor volume`

use clap::{Args, Subcommand};

use super::Format;
use crate::session::{self, Common};
use crate::table;

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
            let mut volumes = workspace.current_engine()?.list_volumes(&[]).await?;
            volumes.sort_by(|a, b| a.name.cmp(&b.name));
            let table = || {
                let mut rows = vec![vec!["DRIVER".to_owned(), "VOLUME NAME".to_owned()]];
                let volumes = volumes.iter().cloned();
                rows.extend(volumes.map(|volume| vec![volume.driver, volume.name]));
                table::render(&rows)
            };
            format.list(
                table,
                volumes.iter().map(|volume| {
                    serde_json::json!({
                        "Name": volume.name,
                        "Driver": volume.driver,
                        "Labels": volume.labels,
                    })
                }),
            )
        })
    }
}
