//! `iechor buildx stop`

use clap::Args;
use iechor_builder::lifecycle;

use crate::session::{self, Common};

/// Stop a builder
#[derive(Debug, Args)]
pub struct Stop {
    /// Its name; the current one where it is missing
    name: Option<String>,
}

impl Stop {
    /// Stops all nodes.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let group = workspace.stored(self.name.as_deref())?;
            Ok(lifecycle::stop(&workspace, &group).await?)
        })
    }
}
