//! Builders: store, selection, nodes and life cycle.
//!
//! - [`store`] keeps builders where docker buildx keeps them; [`name`] says what they may be
//!   called, [`selection`] which one a command works on.
//! - [`workspace`] is what surrounds a command: store, engine, configuration.
//! - [`create`](mod@create) makes builders: with [`driver_options`], [`buildkitd_config`],
//!   [`buildkitd_flags`].
//! - [`node`] is a node that can be worked with, through its driver; [`lifecycle`] asks, boots,
//!   stops and removes whole builders.
//! - [`view`] is what listings and inspections return, for tables and as JSON.

pub mod boot_progress;
mod buildkit_link;
pub mod buildkitd_config;
pub mod buildkitd_flags;
pub mod create;
pub mod driver_options;
mod engines;
mod error;
mod ledger;
mod leftovers;
pub mod lifecycle;
mod lookup;
pub mod name;
pub mod node;
mod remembered;
pub mod selection;
pub mod store;
mod users;
pub mod view;
pub mod workspace;

pub use buildkit_link::BuildKitLink;
pub use error::BuilderError;
pub use iechor_engine::{EngineError, EngineErrorKind};
pub use workspace::Workspace;
