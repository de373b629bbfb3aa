//! The sandbox from outside: what it loads, what it refuses, and what it lets happen to an engine.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where it goes wrong, in its helpers too"
)]

mod author_kit;
mod binds;
mod budgets;
#[path = "../../../../tests/certificates.rs"]
mod certificates;
#[path = "../../../../tests/compiler.rs"]
mod compiler;
mod compiling;
mod container_driver;
mod contract;
mod denials;
mod engine_address;
mod engine_driver;
mod engine_failures;
mod exports;
#[path = "../../../../tests/generated.rs"]
mod generated;
mod loading;
mod matrix;
mod multiplying;
mod observing;
mod policy;
mod programs;
mod remote_driver;
mod support;
mod team_driver;
mod undo;
mod user_files;
