//! Where components of drivers come from: files, web servers and OCI registries.
//!
//! A [`Source`] is parsed from what the user wrote; [`fetch`] brings the component and says what
//! exactly it was ([`Fetched::pinned`]); [`push`] puts one into a registry. Whatever a server says
//! is checked here: size, digest, media types.
//!
//! - [`source`] has the grammar; [`digest`] what a source is pinned by.
//! - `oci` speaks to registries, in the layout of the WebAssembly OCI tools (`oci::layout`).
//! - `web` is every request that this crate makes.
//!
//! reqwest is used in this crate only. It knows nothing of builders, and runs
//! nothing.

pub mod digest;
mod disk;
mod error;
mod oci;
pub mod source;
mod web;

pub use digest::Digest;
pub use error::RegistryError;
pub use oci::{Contents, Pushed, push};
pub use source::{Artifact, Location, Source};

/// User name and password, or token, for a registry.
#[derive(Clone, Default)]
pub enum Credential {
    /// None: the registry is asked without.
    #[default]
    Anonymous,
    /// A user and their password.
    Password {
        /// The user.
        username: String,
        /// Their password.
        password: String,
    },
    /// A token that the registry is sent as it is.
    Token(String),
}

/// What a request may do, beside where it goes.
pub struct Request<'a> {
    /// For the registry of the source; other servers do not see it.
    pub credential: Credential,
    /// Most bytes of a component.
    pub limit: u64,
    /// Told how many bytes have come, and how many there will be where that is known.
    pub progress: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

/// A component that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The component.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// Where exactly it came from: the file of a directory, without symbolic links; the digest
    /// behind a tag.
    pub pinned: Source,
}

/// What a source leads to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Digest of the component there.
    pub digest: Digest,
    /// As [`Fetched::pinned`].
    pub pinned: Source,
}

/// Fetches the component of a source.
///
/// # Errors
///
/// Where there is none, or it is not what the source's digest says.
pub async fn fetch(source: &Source, request: &Request<'_>) -> Result<Fetched, RegistryError> {
    match &source.location {
        Location::Path(path) => disk::fetch(path, source.digest.as_ref(), request.limit),
        Location::Web(url) => web::fetch(url, source.digest.as_ref(), request).await,
        Location::Registry(artifact) => oci::fetch(artifact, source.digest.as_ref(), request).await,
    }
}

/// Finds out what a source leads to, without fetching it where a registry can tell.
///
/// # Errors
///
/// As [`fetch`].
pub async fn resolve(source: &Source, request: &Request<'_>) -> Result<Resolved, RegistryError> {
    if let Location::Registry(artifact) = &source.location {
        return oci::resolve(artifact, source.digest.as_ref(), request).await;
    }
    let fetched = fetch(source, request).await?;
    Ok(Resolved {
        digest: fetched.digest,
        pinned: fetched.pinned,
    })
}
