//! `iechor version`

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use crate::text::Text;
use crate::version;

/// Show the version
#[derive(Debug, Args)]
pub struct Version {
    /// Format the output: table, json, or a Go template such as '{{.Version}}'
    #[arg(long, default_value = "table")]
    format: Format,
}

/// The version of the program.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VersionView {
    /// The version, for example `1.2.3`.
    version: &'static str,
}

impl Version {
    /// Prints the program's version.
    pub fn run(self) -> anyhow::Result<()> {
        let version = version::OWN;
        self.format.list(
            || Text::of_line(&format!("iechor v{version}")),
            [VersionView { version }],
        )
    }
}
