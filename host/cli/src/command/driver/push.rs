//! `iechor driver push`

use std::path::PathBuf;

use clap::Args;
use iechor_catalog::Source;

use crate::session::{self, Common};
use crate::terminal;

/// Push the component of a driver to a registry
///
/// The artifact has the layout of the WebAssembly OCI tools: `wkg oci pull` fetches the same file.
/// Registries and credentials are as for `iechor driver install`.
#[derive(Debug, Args)]
pub struct Push {
    /// Path of the component, or of a directory with a component
    file: PathBuf,
    /// Destination, as oci://REGISTRY/REPOSITORY:TAG
    destination: String,
}

impl Push {
    /// Pushes the component and prints its source, pinned to the digest.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let destination: Source = self.destination.parse()?;
            let pushed = workspace.catalog.push(&self.file, &destination).await?;
            terminal::say(&format!("pushed {}", pushed.digest));
            terminal::line(&pushed.pinned.to_string())
        })
    }
}
