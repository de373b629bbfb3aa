//! `iechor driver install`

use clap::Args;
use iechor_catalog::{Candidate, Grant, Source};

use super::consent;
use super::download::Download;
use crate::console;
use crate::session::{self, Common};

/// Install a driver, from a file, a web server or a registry
///
/// SOURCE is the path of a component or of a directory with one, https://HOST/FILE@sha256:DIGEST,
/// or oci://REGISTRY/REPOSITORY:TAG; behind each of them may stand @sha256:DIGEST, that of the
/// component, or of the manifest in a registry. Registries on this machine (localhost, 127.0.0.0/8,
/// [::1]) are spoken to without TLS, all others with it; credentials are those of `docker login`.
#[derive(Debug, Args)]
pub struct Install {
    /// Where the driver is
    source: String,
    /// Name to install it under, instead of its own
    #[arg(long)]
    name: Option<String>,
    /// Capability to grant without a question, as NAME or NAME=PATTERN
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
            console::say(&format!(
                "installed {} {} from {} ({})",
                installed.name, installed.version, installed.source, installed.digest
            ));
            console::line(&installed.name)
        })
    }
}
