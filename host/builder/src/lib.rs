//! Builders: store, selection, nodes, life cycle and builds over nodes.
//!
//! - [`store`] keeps builders where docker buildx keeps them; [`name`] says what they may be
//!   called, [`selection`] which one a command works on.
//! - [`workspace`] is what surrounds a command: store, engine, configuration.
//! - [`create`](mod@create) makes builders: with [`driver_options`], [`buildkitd_config`],
//!   [`buildkitd_flags`].
//! - [`drivers`] are what builders are made of: built in, installed, or files; and what the user
//!   trusts them with.
//! - [`policy`] reads what the organisation allows them.
//! - [`node`] is a node that can be worked with, through its driver; [`lifecycle`] asks, boots,
//!   stops and removes whole builders.
//! - [`build`] builds.

pub mod boot_progress;
pub mod build;
mod buildkit_link;
pub mod buildkitd_config;
pub mod buildkitd_flags;
pub mod create;
mod credentials;
pub mod driver_options;
pub mod drivers;
mod engines;
mod error;
mod ledger;
mod leftovers;
pub mod lifecycle;
pub mod name;
pub mod node;
pub mod policy;
mod remembered;
pub mod selection;
pub mod store;
pub mod workspace;

pub use buildkit_link::BuildKitLink;
pub use error::BuilderError;
pub use iechor_engine::{EngineError, EngineErrorKind};
pub use workspace::Workspace;
