//! Definitions of many builds: HCL and JSON into typed builds.
//!
//! Pure: files and the environment in, builds out. It reads no files, has no network, and no clock except the one
//! that it is given ([`Environment`]).
//!
//! - `syntax` reads files, `value` has the values of expressions, `eval` evaluates them, and `functions` are the
//!   functions that they call.
//! - [`definition`] has variables, targets and groups, and selects the targets to build.
//! - [`spec`] makes typed builds of targets, and [`demands`] says what these demand of this computer.
//! - [`print`] writes definitions as text.
//!
//! A definition comes from outside: all work and memory are bounded (`eval/budget.rs`).

pub mod definition;
pub mod demands;
mod diagnostic;
mod environment;
mod eval;
mod functions;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod glob;
mod path;
pub mod print;
pub mod spec;
mod syntax;
mod value;

pub use definition::{BakeError, Definition, Selection};
pub use diagnostic::{DefinitionError, Place};
pub use environment::Environment;
pub use syntax::source::Position;
