//! Credentials of registries, from the Docker CLI's configuration.

use iechor_engine::config::DockerConfig;
use iechor_registry::{RegistryError, Source};

use crate::error::BuilderError;

/// What the registry of a source is shown when a driver is fetched or pushed.
///
/// # Errors
///
/// Where the configuration cannot be read, or holds what this program cannot use.
pub async fn for_source(
    config: &DockerConfig,
    source: &Source,
) -> Result<iechor_registry::Credential, BuilderError> {
    let Some(registry) = source.registry() else {
        return Ok(iechor_registry::Credential::Anonymous);
    };
    let Some(found) = config.credentials(registry).await? else {
        return Ok(iechor_registry::Credential::Anonymous);
    };
    if let Some(token) = found.registry_token {
        return Ok(iechor_registry::Credential::Token(token));
    }
    if found.is_identity_token {
        return Err(RegistryError::Unauthorized {
            host: registry.to_owned(),
            reason: "has an identity token in the Docker configuration, which cannot be used to \
                     fetch or push drivers; log in with a user and an access token"
                .into(),
        }
        .into());
    }
    Ok(iechor_registry::Credential::Password {
        username: found.username,
        password: found.secret,
    })
}
