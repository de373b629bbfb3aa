//! Provides the BuildKit client to drivers.

use async_trait::async_trait;
use iechor_buildkit::Client;
use iechor_engine::BoxByteStream;
use iechor_sandbox::{BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker};

/// The implementation of BuildKit's protocol in this program.
pub struct BuildKitLink;

struct Connected(Client);

#[async_trait]
impl BuildKit for BuildKitLink {
    async fn connect(&self, stream: BoxByteStream) -> Result<Box<dyn BuildKitClient>, String> {
        let client = Client::connect(stream)
            .await
            .map_err(|error| error.to_string())?;
        // Only an answer shows that a daemon is there; the handshake does not.
        client.version().await.map_err(|error| error.to_string())?;
        Ok(Box::new(Connected(client)))
    }
}

#[async_trait]
impl BuildKitClient for Connected {
    async fn version(&self) -> Result<BuildKitVersion, String> {
        let version = self.0.version().await.map_err(|error| error.to_string())?;
        Ok(version
            .map(|version| BuildKitVersion {
                version: version.version,
                revision: version.revision,
                package: version.package,
            })
            .unwrap_or_default())
    }

    async fn workers(&self) -> Result<Vec<BuildKitWorker>, String> {
        let workers = self.0.workers().await.map_err(|error| error.to_string())?;
        Ok(workers
            .into_iter()
            .map(|worker| BuildKitWorker {
                id: worker.id,
                labels: worker.labels.into_iter().collect(),
                platforms: worker.platforms,
            })
            .collect())
    }
}
