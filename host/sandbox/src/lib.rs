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
//! - [`compiler`] compiles components, in a process of its own.
//! - [`compilation`] tells who listens that a component is being compiled.
//! - [`grant`] decides what it may do with that, [`policy`] what nobody may, [`ownership`] which
//!   objects are its own; [`mod@pattern`] is what grants and policies mean.
//! - [`description`] says which descriptions of drivers are refused.
//! - [`removal`] removes what an operation created, and says what is left.
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
pub mod compiler;
mod contract_version;
mod declaration;
pub mod denial;
pub mod description;
mod dialer;
pub mod driver;
mod embedded;
mod engine_config;
mod error;
mod files;
pub mod grant;
mod granted;
mod handle;
mod journal;
mod last_words;
pub mod limits;
mod load;
mod loaded;
pub mod node;
mod node_context;
mod node_files;
mod observer;
mod operation;
mod options;
pub mod ownership;
pub mod pattern;
pub mod policy;
pub mod removal;
pub mod report;
mod runtime;
mod text;
mod user_words;

pub use binary::Binary;
pub use bindings::contract;
pub use cache::home as cache_home;
pub use denial::{Denial, DenialReason, Missing, Remedy};
pub use driver::{Driver, ValidConfig};
pub use embedded::{EMBEDDED, Embedded};
pub use error::{CompilationLimit, DriverError};
pub use grant::{Grant, Grants};
pub use load::Sandbox;
pub use loaded::Source;
pub use node::{Node, NodeContext};
pub use node_files::{NODE_FILES_DIRECTORY, check_node_files};
pub use observer::Observer;
pub use policy::Policy;
pub use report::{
    BuildKit, BuildKitClient, BuildKitVersion, BuildKitWorker, Dialer, End, Ledger,
    LocalConnection, LocalSocket, Log, LogLevel, NoLedger, Progress, StepId, SystemDialer,
};

/// The tests of this crate compile in children as programs do, see `tests/compiler.rs`.
#[cfg(test)]
mod test_program {
    extern "C" fn serve_if_asked() {
        crate::compiler::serve_if_asked();
    }

    // SAFETY: the C library calls what stands in this section before `main`, with the standard library in
    // order as far as it is used: arguments, files, threads.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = serve_if_asked;
}
