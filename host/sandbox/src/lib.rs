//! Runs build drivers as sandboxed WebAssembly components.
//!
//! [`Sandbox`] loads a [`Driver`], a component that was checked. [`Driver::node`] binds it to one node of a
//! builder and to what it may use: an engine, grants, progress. Every operation on a [`Node`] runs in a store
//! of its own, under budgets of memory, handles, processor time and wall time. A failure is a
//! [`DriverError`] with the name of the driver.
//!
//! - [`mod@driver`] has the description of a driver and its checks of a configuration.
//! - [`mod@node`] runs the operations of the contract.
//! - `capability` has what a driver can call, one file for each interface of `wit/`, listed in one table.
//! - [`compiler`] compiles components in a process of its own; [`compilation`] announces it.
//! - [`grant`] has the capabilities that can be granted, [`policy`] what is forbidden, [`denial`] why
//!   something was refused; [`mod@pattern`] defines what grants and policies match.
//! - [`ownership`] decides which objects of the engine belong to a node.
//! - [`description`] checks the descriptions of drivers.
//! - [`removal`] removes what an operation created, and reports what is left.
//! - [`limits`] has the budgets.
//!
//! wasmtime is used in this crate only. The files of the crate form no import cycle: `bindings`, `declaration`
//! and `operation` know no capability, the capabilities stand on them, and `grant`, `runtime`, `driver` and
//! `node` on the capabilities.

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
mod direct;
pub mod driver;
mod embedded;
mod engine_config;
mod error;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
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
