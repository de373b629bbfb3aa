//! `iechor driver install`

use clap::Args;
use iechor_catalog::{Candidate, Grant, Source};

use super::consent;
use super::download::Download;
use crate::session::{self, Common};
use crate::terminal;

/// Install a driver from a file, a web server or a registry
///
/// SOURCE is the path of a component or of a directory with a component,
/// https://HOST/FILE@sha256:DIGEST, or oci://REGISTRY/REPOSITORY:TAG. Append @sha256:DIGEST to pin the
/// digest of the component or, in a registry, of the manifest. Registries on this machine (localhost,
/// 127.0.0.0/8, [::1]) are accessed without TLS, all others with TLS. Credentials are those of
/// `docker login`.
#[derive(Debug, Args)]
pub struct Install {
    /// Source of the driver
    source: String,
    /// Name to install the driver under (default: its own name)
    #[arg(long)]
    name: Option<String>,
    /// Capability to grant without asking, as NAME or NAME=PATTERN
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Grant::parse)]
    grants: Vec<Grant>,
}

impl Install {
    /// Installs the driver and prints its name.
    pub fn run(self) -> anyhow::Result<()> {
        session::change(&Common::default(), |workspace| async move {
            let catalog = &workspace.catalog;
            let source: Source = self.source.parse()?;
            let download = Download::new();
            let progress = |received, total| download.show(received, total);
            let candidate =
                Candidate::fetch(catalog, source, self.name.as_deref(), &progress).await?;
            drop(download);
            // Nobody is asked about what could not be installed anyway.
            candidate.check_free(&catalog.storage().lock_file()?)?;
            let requests = candidate.requests();
            let grants = consent::ask(&workspace, &candidate, &requests, self.grants).await?;
            let installed = candidate.install(catalog, &grants, None).await?;
            terminal::say(&format!(
                "installed {} {} from {} ({})",
                installed.name, installed.version, installed.source, installed.digest
            ));
            terminal::line(&installed.name)
        })
    }
}
