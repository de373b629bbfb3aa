//! The test kit on drivers that are right, and on one that is wrong in every way.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where it goes wrong, in its helpers too"
)]

#[path = "../../../../tests/compiler.rs"]
mod compiler;
mod drivers;
mod faulty;
mod scenarios;
mod support;
