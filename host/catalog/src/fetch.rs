//! Fetches components from files, web servers and registries.

use iechor_registry::{Access, Artifact, Client, Credential, Digest, Progress, download};
use iechor_sandbox::limits;

use crate::catalog::Catalog;
use crate::component::{self, Contents};
use crate::disk;
use crate::error::CatalogError;
use crate::source::{Location, Source};

/// Maximum length of the fault of a manifest, in characters. It may repeat text of the manifest.
const REASON: usize = 300;

/// A component that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// Digest of the component.
    pub(crate) digest: Digest,
    /// The exact origin: the file of a directory, without symbolic links, or the digest of a tag.
    pub(crate) pinned: Source,
}

/// The current target of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Digest of the component.
    pub(crate) digest: Digest,
    /// The exact origin, see [`Fetched::pinned`].
    pub(crate) pinned: Source,
}

/// An artifact that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The source, pinned to the digest of the manifest.
    pub pinned: Source,
    /// Digest of the component.
    pub digest: Digest,
}

impl Catalog {
    /// Fetches the component of a source, unless the user cancels.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none, or it does not have the digest of the source.
    pub(crate) async fn fetch(
        &self,
        source: &Source,
        progress: Progress<'_>,
    ) -> Result<Fetched, CatalogError> {
        let fetching = self.fetch_component(source, progress);
        self.unless_cancelled("fetching the driver", fetching).await
    }

    /// Finds the current target of a source. Does not fetch the component of a registry.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Self::fetch`].
    pub(crate) async fn resolve(&self, source: &Source) -> Result<Resolved, CatalogError> {
        let resolving = async {
            if let Location::Registry(artifact) = &source.location {
                let client = self.client(artifact, Access::Pull).await?;
                return find(&client, artifact, source.digest.as_ref()).await;
            }
            let fetched = self.fetch_component(source, &|_, _| {}).await?;
            Ok(Resolved {
                digest: fetched.digest,
                pinned: fetched.pinned,
            })
        };
        self.unless_cancelled("asking the registry", resolving)
            .await
    }

    async fn fetch_component(
        &self,
        source: &Source,
        progress: Progress<'_>,
    ) -> Result<Fetched, CatalogError> {
        let pin = source.digest.as_ref();
        let limit = limits::COMPONENT_BYTES;
        match &source.location {
            Location::Path(path) => {
                let found = disk::read_component(path, pin, limit)?;
                Ok(Fetched {
                    bytes: found.bytes,
                    pinned: Source::path(found.file).pinned_to(found.digest.clone()),
                    digest: found.digest,
                })
            }
            Location::Web(url) => {
                let bytes = download(url, pin, limit, progress).await?;
                let digest = Digest::of(&bytes);
                Ok(Fetched {
                    bytes,
                    pinned: source.pinned_to(digest.clone()),
                    digest,
                })
            }
            Location::Registry(artifact) => {
                let client = self.client(artifact, Access::Pull).await?;
                let found = find(&client, artifact, pin).await?;
                let what = format!("the component of {artifact}");
                Ok(Fetched {
                    bytes: client.blob(&found.digest, &what, limit, progress).await?,
                    digest: found.digest,
                    pinned: found.pinned,
                })
            }
        }
    }

    /// Pushes a component under the artifact's tag, unless the user cancels.
    ///
    /// # Errors
    ///
    /// Returns an error if the registry refuses it or cannot be reached.
    pub(crate) async fn push_component(
        &self,
        artifact: &Artifact,
        bytes: Vec<u8>,
        contents: &Contents,
    ) -> Result<Pushed, CatalogError> {
        let pushing = async {
            let parts = component::parts(&bytes, contents).map_err(|error| {
                // It contains the description of the driver.
                CatalogError::NotAComponent {
                    what: artifact.to_string(),
                    reason: error.to_string(),
                }
            })?;
            let client = self.client(artifact, Access::Push).await?;
            let digest = client.push_blob(bytes).await?;
            client.push_blob(parts.config).await?;
            let manifest = client
                .push_manifest(parts.manifest, component::MEDIA_TYPE)
                .await?;
            let tagged = Artifact {
                tag: Some(artifact.tag_or_latest().to_owned()),
                ..artifact.clone()
            };
            Ok::<_, CatalogError>(Pushed {
                pinned: Source {
                    location: Location::Registry(tagged),
                    digest: Some(manifest),
                },
                digest,
            })
        };
        self.unless_cancelled("pushing the driver", pushing).await
    }

    async fn client(&self, artifact: &Artifact, access: Access) -> Result<Client, CatalogError> {
        let credential = self.credential(&artifact.registry).await?;
        Ok(Client::connect(artifact, &credential, access).await?)
    }

    /// Returns the credentials of the Docker configuration for a registry.
    async fn credential(&self, registry: &str) -> Result<Credential, CatalogError> {
        let Some(found) = self.config().credentials(registry).await? else {
            return Ok(Credential::Anonymous);
        };
        if let Some(token) = found.registry_token {
            return Ok(Credential::Token(token));
        }
        if found.is_identity_token {
            return Err(CatalogError::IdentityToken {
                registry: registry.to_owned(),
            });
        }
        Ok(Credential::Password {
            username: found.username,
            password: found.secret,
        })
    }
}

/// Finds the component of an artifact in its manifest.
async fn find(
    client: &Client,
    artifact: &Artifact,
    pin: Option<&Digest>,
) -> Result<Resolved, CatalogError> {
    let manifest = client.manifest(pin, component::ACCEPTED).await?;
    let (digest, size) =
        component::find(&manifest.bytes).map_err(|reason| CatalogError::NotAComponent {
            what: artifact.to_string(),
            reason: iechor_text::clean_line(&reason, REASON),
        })?;
    if size > limits::COMPONENT_BYTES {
        return Err(iechor_registry::RegistryError::TooLarge {
            what: artifact.to_string(),
            limit: limits::COMPONENT_BYTES,
        }
        .into());
    }
    Ok(Resolved {
        digest,
        pinned: Source {
            location: Location::Registry(artifact.clone()),
            digest: Some(manifest.digest),
        },
    })
}
