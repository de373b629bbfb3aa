//! `iechor version`

use clap::Args;

use super::Format;
use crate::console;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Version {
    /// Prints the program's version.
    pub fn run(self) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        match self.format {
            Format::Table => console::line(&format!("iechor v{version}")),
            Format::Json => console::json(&serde_json::json!({ "Version": version })),
        }
    }
}
