//! `iechor inspect`

use anyhow::bail;
use clap::Args;

use crate::console;
use crate::session::{self, Common};
use crate::template;

/// Show what the engine knows about a container, image, network or volume
#[derive(Debug, Args)]
pub struct Inspect {
    /// Its name
    name: String,
    /// Write only this: a Go template, such as '{{.NetworkSettings.Networks}}'
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Inspect {
    /// Prints the engine's own JSON, or what a template takes of it.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let engine = workspace.current_engine()?;
            let Some(object) = engine.inspect_any(&self.name).await? else {
                bail!(
                    "no such object: {} (no container, image, network or volume of that name at {})",
                    self.name,
                    engine.endpoint()
                );
            };
            match self.format {
                Some(format) => console::result(&template::render(&format, &object)?),
                None => console::pretty_json(&[object]),
            }
        })
    }
}
