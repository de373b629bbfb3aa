//! `iechor network`

use clap::{Args, Subcommand};
use iechor_engine::Engine;
use iechor_engine::model::NetworkSpec;

use super::Format;
use crate::session::{self, Common};
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
            let engine = workspace.current_engine()?;
            match self.command {
                Command::Create {
                    name,
                    driver,
                    internal,
                } => {
                    let spec = NetworkSpec {
                        name,
                        driver: Some(driver),
                        internal,
                        ..NetworkSpec::default()
                    };
                    terminal::line(&engine.create_network(&spec).await?.id)
                }
                Command::Ls { format } => list(engine.as_ref(), format).await,
                Command::Rm { names } => remove(engine.as_ref(), &names).await,
            }
        })
    }
}

async fn list(engine: &dyn Engine, format: Format) -> anyhow::Result<()> {
    let mut networks = engine.list_networks(&[]).await?;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let table = || {
        let header = ["NETWORK ID", "NAME", "DRIVER", "SCOPE"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(networks.iter().cloned().map(|network| {
            let short = network.id.chars().take(SHORT_ID).collect();
            vec![short, network.name, network.driver, network.scope]
        }));
        table::render(&rows)
    };
    format.list(
        table,
        networks.iter().map(|network| {
            serde_json::json!({
                "ID": network.id,
                "Name": network.name,
                "Driver": network.driver,
                "Scope": network.scope,
                "Internal": network.internal,
                "Labels": network.labels,
            })
        }),
    )
}

/// Removes all networks that can be removed. Returns the first failure and prints the others.
async fn remove(engine: &dyn Engine, names: &[String]) -> anyhow::Result<()> {
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
