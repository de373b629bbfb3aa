//! Credentials of registries for the daemon.

use std::sync::Arc;

use async_trait::async_trait;
use iechor_buildkit::{Credential, CredentialSource};
use iechor_engine::config::DockerConfig;

/// Answers requests of the daemon from the configuration of the Docker CLI.
pub(super) struct DockerCredentials(pub(super) Arc<DockerConfig>);

#[async_trait]
impl CredentialSource for DockerCredentials {
    async fn credentials(&self, host: &str) -> Result<Option<Credential>, String> {
        let found = self
            .0
            .credentials(host)
            .await
            .map_err(|error| error.to_string())?;
        Ok(found.map(|found| Credential {
            // In the protocol, an identity token has no user name.
            username: if found.is_identity_token {
                String::new()
            } else {
                found.username
            },
            secret: found.secret,
        }))
    }
}
