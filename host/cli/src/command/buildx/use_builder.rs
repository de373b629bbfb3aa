//! `iechor buildx use`

use clap::Args;
use iechor_builder::selection::{self, UseRequest};

use crate::session::{self, Common};

/// Make a builder the current one
#[derive(Debug, Args)]
pub struct Use {
    /// Its name
    name: String,
    /// At every endpoint
    #[arg(long)]
    global: bool,
    /// Come back to it whenever this endpoint is the current one
    #[arg(long)]
    default: bool,
}

impl Use {
    /// Writes the choice.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        session::change(common, |workspace| async move {
            let state = workspace
                .store
                .read()
                .map_err(iechor_builder::BuilderError::from)?;
            let change = workspace.with_surroundings(|surroundings| {
                let request = UseRequest {
                    name: &self.name,
                    global: self.global,
                    default: self.default,
                };
                selection::choose(&state, surroundings, &request)
            })?;
            workspace
                .store
                .lock()?
                .set_current(&change.current, change.default)?;
            Ok(())
        })
    }
}
