//! Runs build drivers as sandboxed WebAssembly components.
//!
//! A [`Driver`] is a component that was loaded and checked; [`Driver::node`] binds it to one node
//! of a builder and to what it may use: an engine, grants, a place for progress. Every operation on
//! a [`Node`] runs in a store of its own, under budgets of memory, handles, processor time and wall
//! time. What goes wrong is a [`DriverError`] that names the driver.
//!
//! - [`mod@driver`] loads components and asks them what they are.
//! - [`mod@node`] runs the operations of the contract.
//! - `capability` is what a driver can call, a file an interface of `wit/`.
//! - [`compilation`] tells who listens that a component is being compiled.
//! - [`grant`] decides what it may do with that, [`policy`] what nobody may, [`ownership`] which
//!   objects are its own.
//! - [`limits`] has every budget.
//!
//! wasmtime is used in this crate only.

mod anatomy;
mod binary;
mod bindings;
mod cache;
mod call;
mod capability;
pub mod compilation;
mod contract_version;
mod counters;
pub mod driver;
mod embedded;
mod engine_config;
mod error;
mod files;
pub mod grant;
mod journal;
mod last_words;
pub mod limits;
pub mod node;
mod observer;
mod operation;
mod options;
pub mod ownership;
pub mod policy;
pub mod report;
mod runtime;
mod text;
mod user_words;

pub use binary::Binary;
pub use bindings::contract;
pub use cache::home as cache_home;
pub use driver::{Driver, Sandbox, Source, ValidConfig};
pub use embedded::{EMBEDDED, Embedded};
pub use error::DriverError;
pub use grant::{Grant, Grants};
pub use node::{Node, NodeContext};
pub use observer::Observer;
pub use policy::Policy;
pub use report::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Dialer, Log, LogLevel, Progress,
    StepId, SystemDialer,
};
