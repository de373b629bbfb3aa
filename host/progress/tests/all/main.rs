//! Progress of real builds (`recorded`) and of hostile ones: their texts (`hostile`), and the memory that they
//! take (`memory`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "these are tests"
)]

mod hostile;
mod memory;
mod recorded;

use std::time::{Duration, SystemTime};

use iechor_buildkit::status::Vertex;

/// Returns the time so many milliseconds after the beginning.
fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(milliseconds)
}

fn running(digest: &str, name: &str) -> Vertex {
    Vertex {
        digest: digest.into(),
        name: name.into(),
        started: Some(at(0)),
        ..Vertex::default()
    }
}
