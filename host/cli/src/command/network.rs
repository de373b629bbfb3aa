//! `iechor network`

use clap::{Args, Subcommand};
use iechor_builder::Workspace;
use iechor_builder::view::NetworkSummary;

use super::Format;
use crate::session::{self, Common};
use crate::text::Text;
use crate::{table, terminal};

/// Length of an ID in a table, in characters.
const SHORT_ID: usize = 12;

/// Manage networks of the engine
#[derive(Debug, Args)]
pub struct Network {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a network
    Create {
        /// Name of the network
        name: String,
        /// Driver of the network
        #[arg(short, long, default_value = "bridge")]
        driver: String,
        /// Restrict external access to the network
        #[arg(long)]
        internal: bool,
    },
    /// List networks
    Ls {
        /// Format the output: table, json, or a Go template such as '{{.Name}}'
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Remove one or more networks
    Rm {
        /// Names of the networks
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Network {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            match self.command {
                Command::Create {
                    name,
                    driver,
                    internal,
                } => {
                    let id = NetworkSummary::create(&workspace, name, driver, internal).await?;
                    terminal::line(&id)
                }
                Command::Ls { format } => {
                    let networks = NetworkSummary::all(&workspace).await?;
                    format.list(|| as_table(&networks), &networks)
                }
                Command::Rm { names } => remove(&workspace, &names).await,
            }
        })
    }
}

fn as_table(networks: &[NetworkSummary]) -> Text {
    let header = ["NETWORK ID", "NAME", "DRIVER", "SCOPE"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(networks.iter().cloned().map(|network| {
        let short = network.id.chars().take(SHORT_ID).collect();
        vec![short, network.name, network.driver, network.scope]
    }));
    table::render(&rows)
}

/// Removes all networks that can be removed. Returns the first failure and prints the others.
async fn remove(workspace: &Workspace, names: &[String]) -> anyhow::Result<()> {
    let engine = workspace.current_engine()?;
    let mut failure = None;
    for name in names {
        match engine.remove_network(name).await {
            Ok(()) => terminal::line(name)?,
            Err(error) if failure.is_none() => failure = Some(error),
            Err(error) => terminal::error(&error.to_string()),
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}
