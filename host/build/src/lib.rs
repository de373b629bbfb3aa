//! Typed builds: their settings, the plan for the nodes, and the delivery of the results.
//!
//! - [`spec`] defines a build with all its settings. The command line and definition files produce it.
//!   [`spec::parse`] parses the values that both have in common.
//! - [`plan`](mod@plan) chooses the nodes and performs all checks that need no daemon.
//! - `assign` distributes a build over the nodes of its builder, and connects to them.
//! - `solve` builds on one node: it runs the session, sends the request and receives the status.
//! - [`checks`] has what the checks of a Dockerfile found.
//! - [`deliver`] delivers the results: files, images to load, images to push, metadata.
//!
//! [`run`](run::run) connects them. This crate reads no flags and no environment variables, and its
//! errors ([`BuildError`]) name none.

mod assign;
pub mod checks;
mod credentials;
pub mod deliver;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod plan;
mod remark;
pub mod run;
mod setting;
mod shown;
mod solve;
pub mod spec;

pub use error::{Absence, BuildError, FileKind, MissingFile, Mistake, Mistakes};
pub use plan::{Plan, Warning, plan};
pub use remark::Remark;
pub use setting::Setting;
pub use spec::BuildSpec;
