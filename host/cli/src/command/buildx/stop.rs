//! `iechor buildx stop`

use clap::Args;
use iechor_builder::lifecycle;
use iechor_builder::selection::Chosen;

use crate::session::{self, Common};
use crate::terminal;

/// Stop a builder
#[derive(Debug, Args)]
pub struct Stop {
    /// Builder name (default: the current builder)
    name: Option<String>,
}

impl Stop {
    /// Stops all nodes.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let chosen = workspace.select(self.name.as_deref())?;
            if let Chosen::Context(name) = &chosen {
                terminal::warn(&format!(
                    "nothing to stop: builder {name} is the engine itself"
                ));
                return Ok(());
            }
            Ok(lifecycle::stop(&workspace, &chosen.group()).await?)
        })
    }
}
