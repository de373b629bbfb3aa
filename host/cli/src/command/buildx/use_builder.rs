//! `iechor buildx use`

use clap::Args;
use iechor_builder::selection::UseRequest;

use crate::session::{self, Common};

/// Set the current builder
#[derive(Debug, Args)]
pub struct Use {
    /// Builder name
    name: String,
    /// Use the builder for all endpoints
    #[arg(long)]
    global: bool,
    /// Use the builder as the default for the current endpoint
    #[arg(long)]
    default: bool,
}

impl Use {
    /// Stores the choice.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            Ok(workspace.choose(&UseRequest {
                name: &self.name,
                global: self.global,
                default: self.default,
            })?)
        })
    }
}
