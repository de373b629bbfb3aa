//! Tests any driver component, on an engine in memory or a real one.
//!
//! The kit loads a component as the host does, gives it a world and looks at what it does there:
//! what it returns, what is in the engine afterwards, and every call that it made. The world in
//! memory stands *below* the checks of grants and ownership, so a driver is held to them here as
//! everywhere. Time is virtual: a boot that waits ten minutes takes none.
//!
//! - [`Kit::conformance`] holds the driver to the whole contract: every requirement of it has a
//!   name, and a paragraph that says what it asks, why, and where that is written
//!   ([`requirements`]).
//! - [`Run::scenarios`] plays what [`scenario`] files say, and compares what the driver did with the trace
//!   beside each.
//! - [`Stage`] is the world in memory by itself, for tests of other kinds.
//!
//! What does not apply to a driver, a container to one that keeps none, is skipped with the reason,
//! never passed.
//!
//! `iechor driver test` is this kit as a command. In an author's `cargo test`:
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use iechor_testkit::Kit;
//!
//! let kit = Kit::load("target/wasm32-wasip2/release/my_driver.wasm").await?;
//! kit.option("image", "registry.example/buildkit:1")
//!     .conformance()
//!     .run()
//!     .await
//!     .assert_passed();
//! # Ok(())
//! # }
//! ```

mod bounds;
mod buildkit;
mod case;
mod component;
mod conformance;
mod error;
mod kit;
mod network;
pub mod output;
mod real;
pub mod report;
mod rerun;
mod run;
pub mod scenario;
mod stage;
mod subject;
mod test;
mod tls;
mod trace;
mod watcher;

pub use buildkit::{Answers, FakeBuildKit};
pub use component::build_component;
pub use conformance::description_faults;
pub use error::KitError;
pub use kit::{Kit, requirements};
pub use network::{DialFault, SimulatedNetwork};
pub use real::{RealEngine, real_node_prefix};
pub use report::Report;
pub use run::{Event, Run};
pub use stage::Stage;
pub use subject::as_grants;
pub use trace::{Trace, error_kind, failure_kind};
pub use watcher::Watcher;
