//! `iechor version`

use clap::Args;

use super::Format;
use crate::text::Text;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {
    /// Format the output: table, json, or a Go template such as '{{.Version}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

impl Version {
    /// Prints the program's version.
    pub fn run(self) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        self.format.list(
            || Text::of_line(&format!("iechor v{version}")),
            [serde_json::json!({ "Version": version })],
        )
    }
}
