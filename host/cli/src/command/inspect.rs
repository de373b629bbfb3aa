//! `iechor inspect`

use anyhow::bail;
use clap::Args;

use crate::session::{self, Common};
use crate::template::Format;
use crate::terminal;

/// Show what the engine knows about a container, image, network or volume
#[derive(Debug, Args)]
pub struct Inspect {
    /// Its name
    name: String,
    /// Write only this: a Go template, such as '{{.NetworkSettings.Networks}}'
    #[arg(short, long, value_name = "TEMPLATE", value_parser = format)]
    format: Option<Format>,
}

/// Reads a template; `json` is the whole object.
fn format(text: &str) -> anyhow::Result<Format> {
    Format::parse(match text {
        "json" => "{{json .}}",
        text => text,
    })
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
                Some(format) => terminal::result(&format.object(&object)?),
                None => terminal::pretty_json(&[object]),
            }
        })
    }
}
