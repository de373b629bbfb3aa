//! `iechor driver push`

use std::path::PathBuf;

use clap::Args;
use iechor_catalog::Source;

use crate::console;
use crate::session::{self, Common};

/// Push the component of a driver to a registry
///
/// It lies there as the WebAssembly OCI tools put it and look for it; `wkg oci pull` fetches the
/// same file. Registries and credentials are as for `iechor driver install`.
#[derive(Debug, Args)]
pub struct Push {
    /// The component, or a directory with one
    file: PathBuf,
    /// Where to, as oci://REGISTRY/REPOSITORY:TAG
    destination: String,
}

impl Push {
    /// Pushes the component and prints the source that leads to it for good.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let destination: Source = self.destination.parse()?;
            let pushed = workspace.catalog.push(&self.file, &destination).await?;
            console::say(&format!("pushed {}", pushed.digest));
            console::line(&pushed.pinned.to_string())
        })
    }
}
