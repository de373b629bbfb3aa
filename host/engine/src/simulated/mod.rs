//! An engine that keeps its state in memory.
//!
//! It answers as [`crate::docker`] does in the same situation: the same tests run on both and compare
//! the results (`tests/all/scenarios`). Tests set what no engine does on request: what a container's
//! process does ([`Behavior`]), what a command in it does ([`Command`]), and which call fails, hangs
//! or loses its answer ([`Fault`]). Nothing depends on time or chance: the same calls give the same
//! IDs, times and journal.

mod behavior;
mod calls;
mod command;
mod engine;
mod load;
mod settings;
mod state;

pub use self::behavior::Behavior;
pub use self::calls::Fault;
pub use self::command::{Command, CommandIo, CommandStderr};
pub use self::engine::SimulatedEngine;
