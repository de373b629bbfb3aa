//! A client of OCI registries, and downloads from web servers.
//!
//! This crate checks the size, the digest and the duration of all answers. The caller interprets the
//! content.
//!
//! - [`Client`] reads and writes manifests and blobs of one repository. [`Artifact`] is a name in a
//!   registry. [`manifest`] defines the format of manifests.
//! - [`fetch_token`] fetches tokens that other programs use.
//! - [`layout`] is a directory with an OCI layout.
//! - [`download`] fetches a file from a web server.
//! - [`digest`] identifies content.
//! - `web` sends every request.
//!
//! Only this crate uses reqwest.

pub mod artifact;
mod authority;
pub mod digest;
mod error;
pub mod layout;
pub mod manifest;
mod oci;
mod web;

pub use artifact::{Artifact, ArtifactError};
pub use authority::{IssuedToken, Login, TokenRequest, fetch_token};
pub use digest::Digest;
pub use error::{AccessFault, RegistryError};
pub use layout::{Layout, LayoutError};
pub use oci::{Access, Client, Received, Transport};
pub use web::{download, normal_address};

/// User name and password, or token, for a registry.
#[derive(Clone, Default)]
pub enum Credential {
    /// No credentials.
    #[default]
    Anonymous,
    /// A user name and a password.
    Password {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// An identity token, a refresh token of OAuth 2: the registry's authority issues a token for it.
    Identity(String),
    /// A token that is sent to the registry unchanged.
    Token(String),
}

/// Receives the number of bytes that have arrived, and the total number if it is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);
