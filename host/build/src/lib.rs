//! A typed build: what to build, which node solves what, and where the results go.
//!
//! - [`spec`] is a build with all its settings, as the command line and definition files produce
//!   it. [`spec::parse`] reads the texts that both have in common.
//! - [`plan`](mod@plan) chooses the nodes and checks everything that can be checked before a daemon
//!   is asked.
//! - `solve` runs one node: the session, the request and the status.
//! - [`deliver`] takes the results in: files, images to load, images to push, metadata.
//!
//! [`run`](run::run) connects them. This crate reads no flag and no environment variable, and its
//! errors ([`BuildError`]) name neither.

pub mod deliver;
mod error;
pub mod plan;
pub mod run;
mod solve;
pub mod spec;

pub use error::{BuildError, FileKind};
pub use plan::{Plan, Warning, plan};
pub use spec::BuildSpec;
