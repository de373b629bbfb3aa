//! `iechor inspect`

use anyhow::bail;
use clap::Args;
use iechor_builder::view::EngineObject;

use crate::session::{self, Common};
use crate::template::Format;
use crate::terminal;

/// Show details of a container, image, network or volume of the engine
#[derive(Debug, Args)]
pub struct Inspect {
    /// Name or ID of the object
    name: String,
    /// Format the output: json, or a Go template such as '{{.NetworkSettings.Networks}}' (default: a JSON
    /// array)
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
    /// Prints the engine's own JSON, or a template over it.
    pub fn run(self) -> anyhow::Result<()> {
        session::query(&Common::default(), |workspace| async move {
            let Some(object) = EngineObject::find(&workspace, &self.name).await? else {
                bail!(
                    "no such object: {} (no container, image, network or volume of that name at {})",
                    self.name,
                    workspace.current_engine()?.endpoint()
                );
            };
            match self.format {
                Some(format) => terminal::result(&format.object(object.json())?),
                None => terminal::pretty_json(&[object]),
            }
        })
    }
}
