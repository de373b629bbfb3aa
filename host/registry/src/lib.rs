//! A client of OCI registries, and downloads from web servers.
//!
//! Whatever a server says is checked here: size, digest, time. What the content means is the
//! caller's business.
//!
//! - [`Client`] reads and writes manifests and blobs of one repository; [`Artifact`] is a name in a
//!   registry, [`manifest`] the form of manifests.
//! - [`download`] fetches a file from a web server.
//! - [`digest`] is what content is pinned by.
//! - `web` makes every request.
//!
//! reqwest is used in this crate only.

pub mod artifact;
pub mod digest;
mod error;
pub mod manifest;
mod oci;
mod web;

pub use artifact::{Artifact, ArtifactError};
pub use digest::Digest;
pub use error::{AccessFault, RegistryError};
pub use oci::{Access, Client, Received};
pub use web::{download, normal_address};

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

/// Receives how many bytes have come, and how many there will be where that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);
