//! `iechor volume`

use clap::{Args, Subcommand};

use super::Format;
use crate::session::{self, Common};
use crate::{console, table};

/// Volumes of the engine
#[derive(Debug, Args)]
pub struct Volume {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List volumes
    Ls {
        /// How to write them
        #[arg(long, value_enum, default_value = "table")]
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
            match format {
                Format::Table => {
                    let mut rows = vec![vec!["DRIVER".to_owned(), "VOLUME NAME".to_owned()]];
                    rows.extend(
                        volumes
                            .into_iter()
                            .map(|volume| vec![volume.driver, volume.name]),
                    );
                    console::result(&table::render(&rows))
                }
                Format::Json => {
                    for volume in volumes {
                        let object = serde_json::json!({
                            "Name": volume.name,
                            "Driver": volume.driver,
                            "Labels": volume.labels,
                        });
                        console::json(&object)?;
                    }
                    Ok(())
                }
            }
        })
    }
}
