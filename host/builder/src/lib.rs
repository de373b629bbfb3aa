//! Builders: store, selection, nodes and life cycle.
//!
//! - [`store`] stores builders in the format of docker buildx; [`name`] checks their names, and
//!   [`selection`] chooses the builder that a command works on.
//! - [`workspace`] is the context of a command: store, engines, configuration.
//! - [`create`](mod@create) creates builders, with [`driver_options`], [`buildkitd_config`] and
//!   [`buildkitd_flags`]; [`leave`](mod@leave) removes a node of one.
//! - [`node`] is a node in use, through its driver; [`lifecycle`] reports on, boots, stops and
//!   removes whole builders; [`cache`] reports on and removes what they cached, and [`connection`]
//!   connects other programs to them.
//! - [`view`] has the results of listings and inspections, for tables and as JSON.
//!
//! Errors carry data and name no flag and no command; see [`BuilderError`]. The command line adds
//! hints and chooses the exit code.

pub mod boot_log;
pub mod boot_progress;
mod buildkit_link;
pub mod buildkitd_config;
pub mod buildkitd_flags;
pub mod cache;
pub mod connection;
pub mod create;
pub mod driver_options;
mod engines;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod leave;
mod ledger;
mod leftovers;
pub mod lifecycle;
mod lookup;
pub mod name;
pub mod node;
pub mod remark;
mod remembered;
pub mod selection;
pub mod store;
mod users;
pub mod view;
pub mod workspace;

pub use buildkit_link::BuildKitLink;
pub use error::BuilderError;
pub use iechor_engine::endpoint::{ClientSettings, TlsFiles};
pub use iechor_engine::{EngineError, EngineErrorKind};
pub use workspace::Workspace;
